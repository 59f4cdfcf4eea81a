import { type AnchorHTMLAttributes, memo } from "react";
import { describeCounts, JobsBar } from "../components/bar";
import { Icon, type IconName } from "../components/icon";
import { formatCompact, formatPercent } from "../format";
import { describeOutlook } from "../outlook";
import { Link } from "../router";
import { labelOf } from "../states";
import { needsAttention } from "./process-order";
import type { Process } from "./process-row";

/** The states of jobs that are told of before any progress. */
const PROBLEMS = ["failed", "terminated", "lost", "held"] as const;

/** Its state, or what is worse than that. */
function iconOf({ state, outlook, stalledSince }: Process): IconName {
  const hasEnded = state === "SUCCEEDED" || state === "FAILED";
  if (hasEnded || (outlook === "ON_TRACK" && stalledSince === null)) return state;
  return outlook === "ON_TRACK" ? "LATE" : outlook;
}

/** The first problem of its jobs, like `3 failed`; without one, how far it is. */
function wordsOf({ kind, state, counts, progress, stalledSince }: Process): string {
  for (const problem of PROBLEMS) {
    const count = counts[problem] ?? 0;
    if (count > 0) return kind === "ARRAY" ? `${formatCompact(count)} ${problem}` : problem;
  }
  if (stalledSince !== null) return "stalled";
  const ratio = progress?.ratio ?? null;
  return state === "RUNNING" && ratio !== null ? formatPercent(ratio) : labelOf(state);
}

function describe({ name, state, outlook, counts }: Process): string {
  const words = [labelOf(state)];
  if (outlook !== "ON_TRACK") words.push(describeOutlook(outlook, counts));
  return `${name}: ${words.join(", ")}\n${describeCounts(counts)}`;
}

/** The end of a name, by which names with the same beginning differ, has so many characters. */
const TAIL_LENGTH = 6;
const CHARACTERS = new Intl.Segmenter();

/** A name that is cut in its middle where it has too little room. */
function ShortName({ name }: { name: string }) {
  const characters = Array.from(CHARACTERS.segment(name), ({ segment }) => segment);
  const tailLength = characters.length > 2 * TAIL_LENGTH ? TAIL_LENGTH : 0;
  const end = characters.length - tailLength;
  return (
    // Screen readers would read the parts as two words.
    <span className="tile-name" role="img" aria-label={name}>
      <span className="tile-head">{characters.slice(0, end).join("")}</span>
      {tailLength > 0 && <span className="tile-tail">{characters.slice(end).join("")}</span>}
    </span>
  );
}

interface ProcessTileProps extends AnchorHTMLAttributes<HTMLAnchorElement> {
  task: string;
  process: Process;
}

/** A process in one line that leads to its page: its name, how far it is or what is wrong, its jobs. */
export const ProcessTile = memo(function ProcessTile(props: ProcessTileProps) {
  const { task, process, ...rest } = props;
  return (
    <Link
      path={["tasks", task, process.name]}
      className={needsAttention(process) ? "process-tile is-urgent" : "process-tile"}
      title={describe(process)}
      {...rest}
    >
      <Icon name={iconOf(process)} />
      <ShortName name={process.name} />
      <span className={needsAttention(process) ? "bad" : "quiet"}>{wordsOf(process)}</span>
      <JobsBar counts={process.counts} />
    </Link>
  );
});

import { CopyButton } from "../components/copy-button";
import { useBodyHold } from "../components/held-body";
import { fetchLostIndices } from "../failures/fetch-indices";
import { formatCount, formatNumber } from "../format";
import { useHeldRows, useHeldValue } from "../held-rows";
import { useKept } from "../place";
import { Link } from "../router";
import type { Process } from "./process-row";

/** Of many processes, so many are shown at first. */
const SHOWN_AT_FIRST = 6;

function keyOf({ id }: Process): string {
  return id;
}

interface LostProcessesProps {
  task: string;
  processes: readonly Process[];
}

/** The processes of a task with lost jobs, those with most first, each with the indices to copy. */
export function LostProcesses({ task, processes }: LostProcessesProps) {
  const [isOpen, setOpen] = useKept("lost-processes", false);
  const concerned = processes
    .map((process) => ({ ...process, lost: process.counts.lost ?? 0 }))
    .filter(({ lost }) => lost > 0)
    .sort((one, other) => other.lost - one.lost);
  const { isHeld } = useBodyHold();
  const { value: isShown } = useHeldValue(concerned.length > 0, isHeld);
  const { rows } = useHeldRows(concerned, keyOf, isHeld);
  if (!isShown) return null;
  const total = concerned.reduce((sum, { lost }) => sum + lost, 0);
  const isFolded = !isOpen && rows.length > SHOWN_AT_FIRST + 1;
  return (
    <section className="card" aria-labelledby="lost">
      <h2 id="lost">
        {formatCount(total, "lost job")}{" "}
        <span className="quiet total">
          in {formatCount(concerned.length, "process", "processes")}
        </span>
      </h2>
      <ul className="lost-processes">
        {(isFolded ? rows.slice(0, SHOWN_AT_FIRST) : rows).map(({ id, name, kind, lost }) => (
          <li key={id}>
            <span>
              <Link path={["tasks", task, name]} className="name">
                {name}
              </Link>{" "}
              <span className="quiet">
                {kind === "ARRAY" ? `${formatNumber(lost)} lost` : "lost"}
              </span>
            </span>
            {kind === "ARRAY" && (
              <CopyButton label="Copy indices" text={() => fetchLostIndices(task, name)} />
            )}
          </li>
        ))}
      </ul>
      {isFolded && (
        <button type="button" className="button start" onClick={() => setOpen(true)}>
          Show all {rows.length} processes
        </button>
      )}
    </section>
  );
}

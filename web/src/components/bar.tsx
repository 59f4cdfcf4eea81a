import { formatCompact, formatCount, formatNumber, formatPercent } from "../format";
import type { JobState } from "../generated/operations";
import { BAR_STATES, type BarState, JOB_STATES, labelOf } from "../states";

/** Numbers of jobs by state. */
export interface Counts {
  total: number;
  pending: number;
  submitted: number;
  held: number;
  running: number;
  /** How many of the running ones are LATE and LOST; null in a timeline. */
  late?: number | null;
  lost?: number | null;
  done: number;
  failed: number;
  terminated: number;
}

/** The number of jobs in a state. */
export function countOf(counts: Counts, state: JobState): number {
  return counts[state.toLowerCase() as Lowercase<JobState>];
}

/** The liveness of running jobs that are silent, as far as there are such. */
function silentOf(counts: Counts, state: JobState): ("LOST" | "LATE")[] {
  if (state !== "RUNNING") return [];
  return (["LOST", "LATE"] as const).filter((silent) => partOf(counts, silent) > 0);
}

/** The number of jobs in a state; of those that run, the late or lost ones. */
function partOf(counts: Counts, state: BarState): number {
  if (state === "LATE") return counts.late ?? 0;
  return state === "LOST" ? (counts.lost ?? 0) : countOf(counts, state);
}

function describePart(counts: Counts, state: BarState): string {
  return `${formatNumber(partOf(counts, state))} ${labelOf(state)}`;
}

/** The number of jobs that ended without success. */
export function countUnsuccessful(counts: Counts): number {
  return counts.failed + counts.terminated;
}

/** All numbers in words, like `3 jobs: 2 done, 1 failed`. */
export function describeCounts(counts: Counts): string {
  const parts = JOB_STATES.filter((state) => countOf(counts, state) > 0).map((state) => {
    const silent = silentOf(counts, state).map((each) => describePart(counts, each));
    const words = describePart(counts, state);
    return silent.length > 0 ? `${words} (${silent.join(", ")})` : words;
  });
  return `${formatCount(counts.total, "job")}: ${parts.join(", ")}`;
}

/** Jobs by state and liveness as a stacked bar. A single failure among many stays visible. */
export function JobsBar({ counts }: { counts: Counts }) {
  return (
    <div
      className="jobs-bar"
      role="img"
      aria-label={describeCounts(counts)}
      title={describeCounts(counts)}
    >
      {BAR_STATES.map((state) => {
        const silent = state === "RUNNING" ? partOf(counts, "LATE") + partOf(counts, "LOST") : 0;
        const share = partOf(counts, state) - silent;
        return share > 0 ? (
          <span key={state} className={`fill-${state.toLowerCase()}`} style={{ flexGrow: share }} />
        ) : null;
      })}
    </div>
  );
}

/** The numbers of done, failed, terminated, lost, late and held jobs. */
export function JobsSummary({ counts }: { counts: Counts }) {
  return (
    <span className="jobs-line">
      <span>
        {formatCompact(counts.done)} of {formatCompact(counts.total)} done
      </span>
      {counts.failed > 0 && <strong className="bad">{formatCompact(counts.failed)} failed</strong>}
      {counts.terminated > 0 && <span>{formatCompact(counts.terminated)} terminated</span>}
      {counts.lost ? <strong>{formatCompact(counts.lost)} lost</strong> : null}
      {counts.late ? <span>{formatCompact(counts.late)} late</span> : null}
      {counts.held > 0 && <span>{formatCompact(counts.held)} held</span>}
    </span>
  );
}

function LegendPart({ counts, state }: { counts: Counts; state: BarState }) {
  return (
    <>
      <i className={`swatch fill-${state.toLowerCase()}`} />
      {describePart(counts, state)}
    </>
  );
}

/** The number of jobs in each state, with the colours of the bar. */
export function JobsLegend({ counts }: { counts: Counts }) {
  return JOB_STATES.filter((state) => countOf(counts, state) > 0).map((state) => (
    <span key={state}>
      <LegendPart counts={counts} state={state} />
      {silentOf(counts, state).map((silent, place, all) => (
        <span key={silent} className="legend-silent">
          {place === 0 && "("}
          <LegendPart counts={counts} state={silent} />
          {place === all.length - 1 ? ")" : ","}
        </span>
      ))}
    </span>
  ));
}

interface ProgressBarProps {
  /** `current / target`; null if not available. */
  ratio: number | null;
  label: string;
}

/** A progress ratio as a bar and in percent. The text may exceed 100 %. */
export function ProgressBar({ ratio, label }: ProgressBarProps) {
  if (ratio === null) return <span className="quiet">n/a</span>;
  return (
    <div className="progress">
      <div
        className="progress-track"
        role="progressbar"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.min(100, Math.round(ratio * 100))}
        aria-valuetext={formatPercent(ratio)}
      >
        <span className="progress-fill" style={{ width: `${Math.min(1, ratio) * 100}%` }} />
      </div>
      <span className="progress-text">{formatPercent(ratio)}</span>
    </div>
  );
}

import { formatCompact, formatCount, formatNumber, formatPercent } from "../format";
import type { JobState } from "../generated/operations";
import { JOB_STATES, labelOf } from "../states";

/** Numbers of jobs by state. */
export interface Counts {
  total: number;
  pending: number;
  submitted: number;
  held: number;
  running: number;
  done: number;
  failed: number;
  terminated: number;
}

/** The number of jobs in a state. */
export function countOf(counts: Counts, state: JobState): number {
  return counts[state.toLowerCase() as Lowercase<JobState>];
}

/** The number of jobs that ended without success. */
export function countUnsuccessful(counts: Counts): number {
  return counts.failed + counts.terminated;
}

function describeCounts(counts: Counts): string {
  const parts = JOB_STATES.filter((state) => countOf(counts, state) > 0).map(
    (state) => `${formatNumber(countOf(counts, state))} ${labelOf(state)}`,
  );
  return `${formatCount(counts.total, "job")}: ${parts.join(", ")}`;
}

/** Jobs by state as a stacked bar. A single failure among many stays visible. */
export function JobsBar({ counts }: { counts: Counts }) {
  return (
    <div
      className="jobs-bar"
      role="img"
      aria-label={describeCounts(counts)}
      title={describeCounts(counts)}
    >
      {JOB_STATES.map((state) => {
        const share = countOf(counts, state);
        return share > 0 ? (
          <span key={state} className={`fill-${state.toLowerCase()}`} style={{ flexGrow: share }} />
        ) : null;
      })}
    </div>
  );
}

/** The numbers of done, failed, terminated and held jobs. */
export function JobsSummary({ counts }: { counts: Counts }) {
  return (
    <span className="jobs-line">
      <span>
        {formatCompact(counts.done)} of {formatCompact(counts.total)} done
      </span>
      {counts.failed > 0 && <strong className="bad">{formatCompact(counts.failed)} failed</strong>}
      {counts.terminated > 0 && <span>{formatCompact(counts.terminated)} terminated</span>}
      {counts.held > 0 && <span>{formatCompact(counts.held)} held</span>}
    </span>
  );
}

/** The number of jobs in each state, with the colours of the bar. */
export function JobsLegend({ counts }: { counts: Counts }) {
  return JOB_STATES.filter((state) => countOf(counts, state) > 0).map((state) => (
    <span key={state}>
      <i className={`swatch fill-${state.toLowerCase()}`} />
      {formatNumber(countOf(counts, state))} {labelOf(state)}
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

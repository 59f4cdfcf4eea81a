import type { JobState } from "../generated/operations";
import { compact, JOB_STATES, number, percent, word } from "../words";

/** Jobs by state, as the API counts them. */
export interface Counts {
  total: number;
  pending: number;
  submitted: number;
  running: number;
  done: number;
  failed: number;
  terminated: number;
}

/** How many jobs are in a state. */
export function countOf(counts: Counts, state: JobState): number {
  return counts[state.toLowerCase() as Lowercase<JobState>];
}

/** Jobs that ended without success. */
export function failures(counts: Counts): number {
  return counts.failed + counts.terminated;
}

function inWords(counts: Counts): string {
  const parts = JOB_STATES.filter((state) => countOf(counts, state) > 0).map(
    (state) => `${number(countOf(counts, state))} ${word(state)}`,
  );
  return `${number(counts.total)} ${counts.total === 1 ? "job" : "jobs"}: ${parts.join(", ")}`;
}

/** Jobs by state as one stacked bar; a single failure among many stays visible. */
export function JobsBar({ counts }: { counts: Counts }) {
  return (
    <div className="jobs-bar" role="img" aria-label={inWords(counts)} title={inWords(counts)}>
      {JOB_STATES.map((state) => {
        const share = countOf(counts, state);
        return share > 0 ? (
          <span key={state} className={`fill-${state.toLowerCase()}`} style={{ flexGrow: share }} />
        ) : null;
      })}
    </div>
  );
}

/** The jobs by state as short words: all of them, and those that ask for attention. */
export function JobsLine({ counts }: { counts: Counts }) {
  return (
    <span className="jobs-line">
      <span>
        {compact(counts.done)} of {compact(counts.total)} done
      </span>
      {counts.failed > 0 && <strong className="bad">{compact(counts.failed)} failed</strong>}
      {counts.terminated > 0 && <span>{compact(counts.terminated)} terminated</span>}
    </span>
  );
}

/** The jobs by state in full, with the colours of the bar. */
export function JobsLegend({ counts }: { counts: Counts }) {
  return JOB_STATES.filter((state) => countOf(counts, state) > 0).map((state) => (
    <span key={state}>
      <i className={`swatch fill-${state.toLowerCase()}`} />
      {number(countOf(counts, state))} {word(state)}
    </span>
  ));
}

interface ProgressBarProps {
  /** Current by target; null where it is not available. */
  ratio: number | null;
  label: string;
}

/** A progress as a bar and in percent; it may pass its target. */
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
        aria-valuetext={percent(ratio)}
      >
        <span className="progress-fill" style={{ width: `${Math.min(1, ratio) * 100}%` }} />
      </div>
      <span className="progress-text">{percent(ratio)}</span>
    </div>
  );
}

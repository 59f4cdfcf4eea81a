import type { EventClass, JobState, Liveness, Outlook, State } from "./generated/operations";

/** Job states in order. */
export const JOB_STATES: readonly JobState[] = [
  "DONE",
  "FAILED",
  "TERMINATED",
  "RUNNING",
  "HELD",
  "SUBMITTED",
  "PENDING",
];

/** A state of a job, or what is said of running ones that are silent. */
export type BarState = JobState | "LATE" | "LOST";

/** The parts of bars and their legends, in order. */
export const BAR_STATES: readonly BarState[] = JOB_STATES.flatMap((state) =>
  state === "RUNNING" ? (["LOST", "LATE", state] as const) : [state],
);

/** The states of jobs that ended without success. */
export const UNSUCCESSFUL: readonly JobState[] = ["FAILED", "TERMINATED"];

/** Lifecycle states of tasks and processes, in order. */
export const STATES: readonly State[] = ["PENDING", "SUBMITTED", "RUNNING", "SUCCEEDED", "FAILED"];

const LABELS: Record<JobState | State | Liveness | Outlook | EventClass, string> = {
  ALIVE: "alive",
  AT_RISK: "at risk",
  BEAT: "beat",
  CANNOT_SUCCEED: "cannot succeed",
  DONE: "done",
  FAILED: "failed",
  HELD: "held",
  LATE: "late",
  LOST: "lost",
  ON_TRACK: "on track",
  PENDING: "pending",
  PROGRESS: "progress",
  READY: "ready",
  RUNNING: "running",
  STARTED: "started",
  SUBMITTED: "submitted",
  SUCCEEDED: "succeeded",
  TERMINATED: "terminated",
};

/** The label of an enum value. */
export function labelOf(value: keyof typeof LABELS): string {
  return LABELS[value];
}

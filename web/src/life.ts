import type { EventClass, JobEventsQuery } from "./generated/operations";

/** An event of a job, as the pages know it. */
export type JobEvent = NonNullable<JobEventsQuery["job"]>["events"]["nodes"][number];

/** The time by which an event counts, in ms: the job's own, where it told one. */
export function timeOf(event: JobEvent): number {
  return Date.parse(event.sentAt ?? event.receivedAt);
}

/** A stretch of a job's life. */
export interface Stretch {
  kind: "SUBMITTED" | "RUNNING";
  from: number;
  to: number;
  /** How it ended; null while it lasts, or where a new attempt cut it off. */
  end: "DONE" | "FAILED" | "TERMINATED" | null;
}

const ENDS: readonly EventClass[] = ["DONE", "FAILED", "TERMINATED"];

/**
 * The waits and attempts that events tell of, in the order of their times. What has no end lasts
 * until `now`. Beats and reports of a job that never said that it started count as its start.
 */
export function stretches(events: readonly JobEvent[], now: number): Stretch[] {
  const found: Stretch[] = [];
  let open: Stretch | null = null;
  const begin = (kind: Stretch["kind"], from: number) => {
    if (open !== null) open.to = from;
    open = { kind, from, to: now, end: null };
    found.push(open);
  };
  for (const event of [...events].sort((one, other) => timeOf(one) - timeOf(other))) {
    const at = timeOf(event);
    const current = open as Stretch | null;
    if (event.eventClass === "SUBMITTED") begin("SUBMITTED", at);
    else if (event.eventClass === "STARTED") begin("RUNNING", at);
    else if (ENDS.includes(event.eventClass)) {
      if (current === null) begin("RUNNING", at);
      const last = open as Stretch | null;
      if (last !== null) {
        last.to = at;
        last.end = event.eventClass as Stretch["end"];
      }
      open = null;
    } else if (current?.kind === "SUBMITTED" || found.length === 0) begin("RUNNING", at);
  }
  return found;
}

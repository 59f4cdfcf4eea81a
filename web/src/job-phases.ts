import type { EventClass, JobEventsQuery } from "./generated/operations";

/** An event of a job. */
export type JobEvent = NonNullable<JobEventsQuery["job"]>["events"]["nodes"][number];

/** The time of an event in ms: `sentAt`, or `receivedAt` without it. */
export function eventTime(event: JobEvent): number {
  return Date.parse(event.sentAt ?? event.receivedAt);
}

/** A period in which a job was waiting, running or held. */
export interface Phase {
  kind: "SUBMITTED" | "RUNNING" | "HELD";
  from: number;
  to: number;
  /** How it ended; null while it lasts, or if a new attempt cut it off. */
  end: "DONE" | "FAILED" | "TERMINATED" | null;
}

const ENDINGS: readonly EventClass[] = ["DONE", "FAILED", "TERMINATED"];

/**
 * The phases that events describe, ordered by time. A phase without an end lasts until `now`. If a
 * job never sent STARTED, its first BEAT, READY or PROGRESS counts as the start.
 */
export function phasesOf(events: readonly JobEvent[], now: number): Phase[] {
  const phases: Phase[] = [];
  let open: Phase | null = null;
  const begin = (kind: Phase["kind"], from: number) => {
    if (open !== null) open.to = from;
    open = { kind, from, to: now, end: null };
    phases.push(open);
  };
  for (const event of [...events].sort((one, other) => eventTime(one) - eventTime(other))) {
    const at = eventTime(event);
    const current = open as Phase | null;
    if (event.eventClass === "SUBMITTED") begin("SUBMITTED", at);
    else if (event.eventClass === "STARTED") begin("RUNNING", at);
    else if (event.eventClass === "HELD") begin("HELD", at);
    else if (ENDINGS.includes(event.eventClass)) {
      if (current === null) begin("RUNNING", at);
      const last = open as Phase | null;
      if (last !== null) {
        last.to = at;
        last.end = event.eventClass as Phase["end"];
      }
      open = null;
    } else if (current?.kind === "SUBMITTED" || phases.length === 0) begin("RUNNING", at);
  }
  return phases;
}

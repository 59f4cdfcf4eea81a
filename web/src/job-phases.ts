import type { Span } from "./components/span";
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

/** When a job began again: at the START of a new attempt, but not where it only went on after a hold. */
export function restartTimesOf(events: readonly JobEvent[]): number[] {
  const restarts: number[] = [];
  let attempt = -1;
  let isOver = false;
  for (const event of [...events].sort((one, other) => eventTime(one) - eventTime(other))) {
    if (ENDINGS.includes(event.eventClass)) isOver = true;
    else if (event.eventClass === "STARTED") {
      if (attempt >= 0 && (isOver || event.attempt > attempt)) restarts.push(eventTime(event));
      attempt = event.attempt;
      isOver = false;
    }
  }
  return restarts;
}

/** A silence takes so many times as long as what usually passes between two events of the job. */
const SILENCE_FACTOR = 5;
/** And this part of the time that is shown. */
const SILENCE_SHARE = 0.05;
/** With fewer events while it ran, nothing is known of what is usual. */
const MIN_SIGNS = 6;

/**
 * When a job that ran was silent for much longer than usual.
 *
 * @param times When its events were, in order.
 * @param phases What they describe, until now at the latest.
 */
export function silencesOf(times: readonly number[], phases: readonly Phase[]): Span[] {
  const gaps = phases
    .filter(({ kind }) => kind === "RUNNING")
    .flatMap(({ from, to }) => {
      const signs = [...times.filter((at) => at >= from && at <= to), to];
      return signs.slice(1).map((at, place) => ({ from: signs[place] ?? from, to: at }));
    });
  if (gaps.length < MIN_SIGNS) return [];
  const lengths = gaps.map(({ from, to }) => to - from).sort((one, other) => one - other);
  const usual = lengths[Math.floor(lengths.length / 2)] ?? 0;
  const shown = Math.max(...phases.map(({ to }) => to)) - (times[0] ?? 0);
  const least = Math.max(SILENCE_FACTOR * usual, SILENCE_SHARE * shown);
  return gaps.filter(({ from, to }) => to > from && to - from >= least);
}

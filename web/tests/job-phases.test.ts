import { describe, expect, it } from "vitest";
import type { EventClass } from "../src/generated/operations";
import { eventTime, type JobEvent, phasesOf, restartTimesOf, silencesOf } from "../src/job-phases";

const NOW = 100_000;

/** An event some milliseconds after the epoch. */
function event(eventClass: EventClass, at: number, more: Partial<JobEvent> = {}): JobEvent {
  return {
    id: `${eventClass}-${at}`,
    eventClass,
    attempt: 0,
    sentAt: new Date(at).toISOString(),
    receivedAt: new Date(at + 1000).toISOString(),
    progress: null,
    exitCode: null,
    signal: null,
    message: null,
    payload: null,
    hostname: null,
    clientAddress: "127.0.0.1",
    ...more,
  };
}

describe("eventTime", () => {
  it("is sentAt, or receivedAt without it", () => {
    expect(eventTime(event("DONE", 5000))).toBe(5000);
    expect(eventTime(event("DONE", 5000, { sentAt: null }))).toBe(6000);
  });
});

describe("phasesOf", () => {
  it("is held until the job goes on or ends", () => {
    const events = [event("STARTED", 1000), event("HELD", 2000), event("STARTED", 5000)];
    expect(phasesOf([...events, event("HELD", 6000)], NOW)).toEqual([
      { kind: "RUNNING", from: 1000, to: 2000, end: null },
      { kind: "HELD", from: 2000, to: 5000, end: null },
      { kind: "RUNNING", from: 5000, to: 6000, end: null },
      { kind: "HELD", from: 6000, to: NOW, end: null },
    ]);
    expect(phasesOf([event("HELD", 2000), event("TERMINATED", 3000)], NOW)).toEqual([
      { kind: "HELD", from: 2000, to: 3000, end: "TERMINATED" },
    ]);
  });

  it("has no phase without events", () => {
    expect(phasesOf([], NOW)).toEqual([]);
  });

  it("has a wait and a run, in any order of the events", () => {
    const events = [event("DONE", 30_000), event("SUBMITTED", 10_000), event("STARTED", 20_000)];
    const expected = [
      { kind: "SUBMITTED", from: 10_000, to: 20_000, end: null },
      { kind: "RUNNING", from: 20_000, to: 30_000, end: "DONE" },
    ];
    expect(phasesOf(events, NOW)).toEqual(expected);
    expect(phasesOf(events.toReversed(), NOW)).toEqual(expected);
  });

  it("lasts until now without an end", () => {
    expect(phasesOf([event("STARTED", 1000)], NOW)).toEqual([
      { kind: "RUNNING", from: 1000, to: NOW, end: null },
    ]);
  });

  it("starts a phase for every attempt", () => {
    const events = [
      event("STARTED", 1000),
      event("STARTED", 2000),
      event("FAILED", 3000),
      event("STARTED", 4000),
      event("TERMINATED", 5000),
    ];
    expect(phasesOf(events, NOW)).toEqual([
      { kind: "RUNNING", from: 1000, to: 2000, end: null },
      { kind: "RUNNING", from: 2000, to: 3000, end: "FAILED" },
      { kind: "RUNNING", from: 4000, to: 5000, end: "TERMINATED" },
    ]);
  });

  it.each(["BEAT", "READY", "PROGRESS"] as const)("takes a first %s as the start", (first) => {
    expect(phasesOf([event(first, 1000), event("BEAT", 2000)], NOW)).toEqual([
      { kind: "RUNNING", from: 1000, to: NOW, end: null },
    ]);
    expect(phasesOf([event("SUBMITTED", 500), event(first, 1000)], NOW)).toHaveLength(2);
  });

  it("ignores a beat after the end", () => {
    const events = [event("STARTED", 1000), event("DONE", 2000), event("BEAT", 3000)];
    expect(phasesOf(events, NOW)).toEqual([{ kind: "RUNNING", from: 1000, to: 2000, end: "DONE" }]);
  });

  it("shows an end without a start", () => {
    expect(phasesOf([event("FAILED", 1000)], NOW)).toEqual([
      { kind: "RUNNING", from: 1000, to: 1000, end: "FAILED" },
    ]);
  });
});

describe("restartTimesOf", () => {
  it("is where another attempt begins, and not where a held job goes on", () => {
    const events = [
      event("STARTED", 1000),
      event("HELD", 2000),
      event("STARTED", 3000),
      event("FAILED", 4000),
      event("SUBMITTED", 5000),
      event("STARTED", 6000),
      event("STARTED", 7000, { attempt: 1 }),
    ];
    expect(restartTimesOf(events)).toEqual([6000, 7000]);
    expect(restartTimesOf(events.toReversed())).toEqual([6000, 7000]);
  });
});

describe("silencesOf", () => {
  /** A job that beats every second, but for some seconds not. */
  const beats = (...silent: number[]) => [
    event("STARTED", 0),
    ...Array.from({ length: 60 }, (_, second) => 1000 * (second + 1))
      .filter((at) => !silent.includes(at / 1000))
      .map((at) => event("BEAT", at)),
  ];

  const silences = (events: readonly JobEvent[]) =>
    silencesOf(events.map(eventTime), phasesOf(events, 60_000));

  it("is much longer than usual between two events of a job that runs", () => {
    const events = beats(20, 21, 22, 23, 24, 25, 40);
    expect(silences(events)).toEqual([{ from: 19_000, to: 26_000 }]);
  });

  it("lasts until now, and not where the job is held", () => {
    const held = [...beats().slice(0, 30), event("HELD", 30_000)];
    expect(silences(held)).toEqual([]);
    expect(silences(beats().slice(0, 31))).toEqual([{ from: 30_000, to: 60_000 }]);
  });

  it("is none where too little is known", () => {
    expect(silences(beats().slice(0, 4))).toEqual([]);
  });
});

import { describe, expect, it } from "vitest";
import { ratesOf, restartsOf, stallsOf } from "../src/components/timeline-marks";
import type { TimelinePoint } from "../src/components/timeline-point";

const MINUTE = 60_000;
const TOTAL = 1000;

/** A point a number of minutes after the epoch. */
function point(minute: number, done: number, failed = 0, running = 5): TimelinePoint {
  const pending = TOTAL - done - failed - running;
  const none = { submitted: 0, held: 0, terminated: 0, late: null, lost: null };
  return {
    at: new Date(minute * MINUTE).toISOString(),
    ratio: done / TOTAL,
    counts: { total: TOTAL, pending, running, done, failed, ...none },
  };
}

/** Points of consecutive minutes. */
function pointsOf(done: readonly number[], running = 5): TimelinePoint[] {
  return done.map((jobs, minute) => point(minute, jobs, 0, running));
}

/** Jobs that end one a minute, but none for some minutes. */
function stalledFor(minutes: number): number[] {
  const before = Array.from({ length: 20 }, (_, minute) => minute);
  const during = Array.from({ length: minutes }, () => 19);
  const after = Array.from({ length: 20 }, (_, minute) => 20 + minute);
  return [...before, ...during, ...after];
}

describe("restartsOf", () => {
  it("tells when jobs that had ended began again, although others ended", () => {
    const points = [point(0, 10, 4), point(1, 12, 4), point(2, 20, 1), point(3, 21, 1)];
    expect(restartsOf(points)).toEqual([{ at: 2 * MINUTE, count: 3 }]);
    expect(restartsOf([])).toEqual([]);
  });
});

describe("ratesOf", () => {
  it("is what ended per minute, between every second point", () => {
    const rates = ratesOf(pointsOf([0, 4, 12, 12, 12, 20]));
    expect(rates.map(({ from, to, perMinute }) => [from / MINUTE, to / MINUTE, perMinute])).toEqual(
      [
        [0, 2, 6],
        [2, 4, 0],
        [4, 5, 8],
      ],
    );
  });

  it("counts jobs that ended although others began again", () => {
    expect(ratesOf([point(0, 10, 4), point(1, 20, 0)])).toMatchObject([{ perMinute: 10 }]);
  });

  it("has none without a second point", () => {
    expect(ratesOf([point(0, 0)])).toEqual([]);
  });
});

describe("stallsOf", () => {
  it("is when nothing ended for much longer than usual", () => {
    expect(stallsOf(pointsOf(stalledFor(15)))).toEqual([{ from: 19 * MINUTE, to: 34 * MINUTE }]);
  });

  it("is none where that is short, usual, or where no job ran", () => {
    expect(stallsOf(pointsOf(stalledFor(9)))).toEqual([]);
    const inBatches = Array.from({ length: 60 }, (_, minute) => 10 * Math.floor(minute / 12));
    expect(stallsOf(pointsOf(inBatches))).toEqual([]);
    expect(stallsOf(pointsOf(stalledFor(15), 0))).toEqual([]);
  });

  it("is neither before the first end nor after the last", () => {
    const done = [...Array.from({ length: 20 }, () => 0), 1, 2, 3, 4];
    expect(stallsOf(pointsOf(done))).toEqual([]);
    expect(stallsOf(pointsOf([0, 1, 2, 3, ...Array.from({ length: 20 }, () => 4)]))).toEqual([]);
  });
});

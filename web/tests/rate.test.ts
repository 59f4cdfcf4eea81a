import { describe, expect, it } from "vitest";
import type { TimelinePoint } from "../src/components/plot";
import { recentRate } from "../src/rate";

/** A timeline with a point a minute, from the numbers of ended jobs. */
function timeline(...ended: number[]): TimelinePoint[] {
  return ended.map((done, minute) => ({
    at: new Date(60_000 * minute).toISOString(),
    ratio: null,
    counts: {
      total: 100,
      pending: 0,
      submitted: 0,
      held: 0,
      running: 0,
      done,
      failed: 0,
      terminated: 0,
    },
  }));
}

describe("recentRate", () => {
  it("is unknown without two times", () => {
    expect(recentRate([])).toBeNull();
    expect(recentRate(timeline(5))).toBeNull();
  });

  it("is that of the last quarter", () => {
    expect(recentRate(timeline(0, 40, 80, 81, 82))).toBe(1);
    expect(recentRate(timeline(0, 0, 0, 0, 30))).toBe(30);
  });

  it("counts every end", () => {
    const points = timeline(0, 1);
    for (const state of ["failed", "terminated"] as const) {
      const last = points.at(-1);
      if (last) last.counts[state] = 1;
    }
    expect(recentRate(points)).toBe(3);
  });

  it("is not negative when jobs restart", () => {
    expect(recentRate(timeline(9, 5))).toBe(0);
  });
});

import { describe, expect, it } from "vitest";
import { type DurationBin, durationTicks, shareAt } from "../src/usage/histogram";

/** Bins that begin and end where one of these durations is, in seconds. */
function binsOf(...bounds: number[]): DurationBin[] {
  return bounds.slice(1).map((end, place) => ({ begin: bounds[place] ?? 0, end, count: 1 }));
}

describe("shareAt", () => {
  it("is in the bin of the duration, as far as it is in the bin", () => {
    const bins = binsOf(10, 20, 40, 80, 160);
    expect([10, 15, 20, 30, 80, 120, 160].map((seconds) => shareAt(bins, seconds))).toEqual([
      0, 0.125, 0.25, 0.375, 0.75, 0.875, 1,
    ]);
  });

  it("is at the nearer end for what lies outside", () => {
    expect(shareAt(binsOf(10, 20, 40), 1)).toBe(0);
    expect(shareAt(binsOf(10, 20, 40), 100)).toBe(1);
  });
});

describe("durationTicks", () => {
  it("has round durations at a distance", () => {
    const ticks = durationTicks(binsOf(40, 80, 160, 320, 640, 1280), 0.16);
    expect(ticks.map(({ seconds }) => seconds)).toEqual([60, 120, 300, 600, 1200]);
  });

  it("has the ends where no two round durations are", () => {
    expect(durationTicks(binsOf(61, 62, 63), 0.16)).toEqual([
      { seconds: 61, share: 0 },
      { seconds: 63, share: 1 },
    ]);
    expect(durationTicks([], 0.16)).toEqual([]);
  });
});

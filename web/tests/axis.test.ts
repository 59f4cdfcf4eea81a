import { describe, expect, it } from "vitest";
import { scale, timeTicks } from "../src/components/axis";

const HOUR = 3_600_000;
const START = Date.parse("2026-11-24T00:10:00Z");

describe("timeTicks", () => {
  it.each([10_000, 90_000, HOUR, 36 * HOUR, 400 * 24 * HOUR])("are few in %d ms", (duration) => {
    const ticks = timeTicks(START, START + duration, 6);
    expect(ticks.length).toBeGreaterThan(0);
    expect(ticks.length).toBeLessThanOrEqual(7);
    expect(ticks.every((at) => at >= START && at <= START + duration)).toBe(true);
  });

  it("are round in the local time zone", () => {
    const ticks = timeTicks(START, START + 72 * HOUR, 3);
    expect(ticks.map((at) => new Date(at).getHours())).toEqual([0, 0, 0]);
  });
});

describe("scale", () => {
  it("maps one range to another", () => {
    const y = scale([0, 10], [100, 0]);
    expect([0, 5, 10].map(y)).toEqual([100, 50, 0]);
  });

  it("maps an empty range to its start", () => {
    expect(scale([3, 3], [0, 100])(3)).toBe(0);
  });
});

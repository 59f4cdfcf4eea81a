import { describe, expect, it } from "vitest";
import {
  describeBasis,
  describeCpu,
  describeFailures,
  describeMemory,
  describeRate,
  formatBytes,
  formatCompact,
  formatCount,
  formatNumber,
  formatPercent,
  formatRate,
} from "../src/format";

describe("numbers", () => {
  it.each([
    [0, "0"],
    [1234, "1,234"],
    [12_340.56, "12,340.6"],
  ])("formatNumber(%d)", (value, text) => expect(formatNumber(value)).toBe(text));

  it.each([
    [9999, "9,999"],
    [12_345, "12.3K"],
    [1_000_000, "1M"],
  ])("formatCompact(%d)", (value, text) => expect(formatCompact(value)).toBe(text));

  it("formatCount uses the plural unless there is one", () => {
    expect(formatCount(1, "job")).toBe("1 job");
    expect(formatCount(0, "job")).toBe("0 jobs");
    expect(formatCount(2000, "process", "processes")).toBe("2,000 processes");
  });
});

describe("formatPercent", () => {
  it.each([
    [0, "0 %"],
    [0.0001, "< 0.1 %"],
    [0.012, "1.2 %"],
    [0.5, "50 %"],
    [0.994, "99.4 %"],
    [0.99999, "99.9 %"],
    [1, "100 %"],
    [1.236, "124 %"],
  ])("%d", (ratio, text) => expect(formatPercent(ratio)).toBe(text));
});

describe("formatRate", () => {
  it.each([
    [0, "0 jobs/min"],
    [12_345.6, "12.3K jobs/min"],
    [1234.56, "1,235 jobs/min"],
    [234.56, "234.6 jobs/min"],
    [12, "12 jobs/min"],
    [0.5, "0.5 jobs/min"],
    [0.05, "3 jobs/h"],
    [0.001, "1.4 jobs/d"],
  ])("%d per minute", (rate, text) => expect(formatRate(rate)).toBe(text));
});

describe("describeRate", () => {
  it.each([
    [12, null, "12 jobs/min"],
    [12, "2026-11-24T10:00:00Z", ""],
    [null, null, ""],
  ])("%s, stalled since %s", (rate, stalledSince, text) =>
    expect(describeRate({ rate, stalledSince })).toBe(text),
  );
});

describe("describeBasis", () => {
  const progress = { ratio: 0.5, current: 1500, target: 3000 };

  it.each([
    ["DONE_JOBS", true, "1,500 of 3,000 jobs DONE"],
    ["DONE_OF_THRESHOLD", true, "1,500 of 3,000 required jobs DONE"],
    ["PERCENT", true, "average of all jobs"],
    ["PERCENT", false, "reported by the job"],
    ["VALUE_OF_THRESHOLD", true, "1,500 of 3,000 required, reported by jobs"],
  ] as const)("%s of an array: %s", (basis, isArray, text) => {
    expect(describeBasis({ ...progress, basis }, isArray)).toBe(text);
  });

  it("says that there is none", () => {
    expect(describeBasis(null, true)).toBe("no progress reported");
  });
});

describe("describeFailures", () => {
  it.each([
    [0, 0, "0 unsuccessful, none tolerated"],
    [0, 5, "0 unsuccessful of 5 tolerated"],
    [5, 5, "5 unsuccessful of 5 tolerated"],
    [6, 5, "6 unsuccessful, only 5 tolerated"],
    [1, 0, "1 unsuccessful, none tolerated"],
  ])("%d unsuccessful, %d tolerated", (failures, tolerance, text) => {
    expect(describeFailures(failures, tolerance)).toBe(text);
  });
});

it.each([
  [0, "0 B"],
  [1023, "1,023 B"],
  [1.5 * 1024 ** 3, "1.5 GiB"],
  [2 ** 70, "1,048,576 PiB"],
])("formats %d bytes", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

it("describes memory", () => {
  expect(describeMemory(null, null)).toBeNull();
  expect(describeMemory(null, 2 ** 31)).toBe("2 GiB requested");
  expect(describeMemory(2 ** 30, 0)).toBe("1 GiB");
  expect(describeMemory(2 ** 30, 2 ** 31)).toBe("1 GiB of 2 GiB requested (50 %)");
});

it("describes CPU time", () => {
  expect(describeCpu(null, null, 1000)).toBeNull();
  expect(describeCpu(null, 4, null)).toBe("4 CPUs");
  expect(describeCpu(90, null, 60_000)).toBe("1 min 30 s");
  expect(describeCpu(90, 2, 60_000)).toBe("1 min 30 s (75 % of 2 CPUs)");
});

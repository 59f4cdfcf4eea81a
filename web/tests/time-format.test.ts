import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  formatDuration,
  formatFullTime,
  formatRelativeTime,
  formatRoughDuration,
  formatTime,
} from "../src/time-format";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe("formatDuration", () => {
  it.each([
    [-5, "< 1 s"],
    [499, "< 1 s"],
    [59.6 * SECOND, "1 min"],
    [2 * MINUTE + 5 * SECOND, "2 min 5 s"],
    [2 * HOUR + 5 * SECOND, "2 h"],
    [3 * DAY + 2 * HOUR + MINUTE, "3 d 2 h"],
  ])("%d ms", (ms, text) => expect(formatDuration(ms)).toBe(text));
});

describe("formatRoughDuration", () => {
  it.each([
    [0, "0 s"],
    [119 * SECOND, "1 min"],
    [47 * HOUR, "1 d"],
  ])("%d ms", (ms, text) => expect(formatRoughDuration(ms)).toBe(text));
});

describe("formatRelativeTime", () => {
  it.each([
    [0, "now"],
    [1999, "now"],
    [-1999, "now"],
    [5 * MINUTE, "5 min ago"],
    [-2 * HOUR, "in 2 h"],
  ])("%d ms ago", (age, text) => expect(formatRelativeTime(DAY, DAY + age)).toBe(text));
});

describe("times in the local time zone", () => {
  // 07:30 on 2 March in Tokyo.
  const AT = Date.parse("2026-03-01T22:30:05Z");

  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it("formatTime has no date today", () => {
    vi.setSystemTime("2026-03-02T12:00:00Z");
    expect(formatTime(AT)).toMatch(/^0?7:30:05/);
    expect(formatTime(AT, false)).toMatch(/^0?7:30\b(?!:)/);
  });

  it("formatTime has the date on other days", () => {
    vi.setSystemTime("2026-03-02T15:00:00Z");
    expect(formatTime(AT)).toMatch(/Mar.* 0?7:30:05/);
  });

  it("formatFullTime has the UTC time on its second line", () => {
    const [local, utc] = formatFullTime(AT).split("\n");
    expect(local).toMatch(/7:30:05/);
    expect(utc).toBe("2026-03-01 22:30:05 UTC");
  });
});

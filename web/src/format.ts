import type { ProgressBasis } from "./generated/operations";
import { formatDuration } from "./time-format";

const NUMBER = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const LARGE = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** A number with thousands separators, like `12,340.5`. */
export function formatNumber(value: number): string {
  return NUMBER.format(value);
}

/** A number in short form, like `12.3K`. */
export function formatCompact(value: number): string {
  return value < 10_000 ? NUMBER.format(value) : LARGE.format(value);
}

/** A number and its noun, like `1 job` and `2 jobs`. */
export function formatCount(value: number, noun: string, plural = `${noun}s`): string {
  return `${formatNumber(value)} ${value === 1 ? noun : plural}`;
}

/** A ratio in percent. Only exactly 1 gives 100 %, and only 0 gives 0 %. */
export function formatPercent(ratio: number): string {
  const value = ratio * 100;
  if (value > 0 && value < 0.1) return "< 0.1 %";
  const digits = value < 10 || (value > 99 && value < 100) ? 1 : 0;
  const rounded = Number(value.toFixed(digits));
  if (ratio < 1 && rounded >= 100) return "99.9 %";
  return `${NUMBER.format(rounded)} %`;
}

interface Progress {
  ratio: number | null;
  current: number;
  target: number | null;
  basis: ProgressBasis;
}

/** What a process' progress counts, like `3 of 5 jobs DONE`. */
export function describeBasis(progress: Progress | null, isArray: boolean): string {
  if (progress === null) return "no progress reported";
  const target = formatNumber(progress.target ?? 0);
  const current = formatNumber(progress.current);
  switch (progress.basis) {
    case "DONE_JOBS":
      return `${current} of ${target} jobs DONE`;
    case "DONE_OF_THRESHOLD":
      return `${current} of ${target} required jobs DONE`;
    case "PERCENT":
      return isArray ? "average of all jobs" : "reported by the job";
    case "VALUE_OF_THRESHOLD":
      return `${current} of ${target} required, reported by jobs`;
  }
}

/** Number of unsuccessful jobs of an array, FAILED or TERMINATED, against its failure tolerance. */
export function describeFailures(unsuccessful: number, tolerance: number): string {
  const told = `${formatNumber(unsuccessful)} unsuccessful`;
  if (tolerance === 0) return `${told}, none tolerated`;
  const tolerated = `${formatNumber(tolerance)} tolerated`;
  return unsuccessful > tolerance ? `${told}, only ${tolerated}` : `${told} of ${tolerated}`;
}

/** Smaller rates are given by the hour, or by the day. */
const SMALLEST_RATE = 0.1;

/** Larger rates have no decimals. */
const LARGE_RATE = 1000;

/** A rate of jobs, like `12.5 jobs/min` or `12.3K jobs/min`; a slow one by the hour or the day. */
export function formatRate(perMinute: number): string {
  if (perMinute >= LARGE_RATE) return `${formatCompact(Math.round(perMinute))} jobs/min`;
  if (perMinute === 0 || perMinute >= SMALLEST_RATE) return `${formatNumber(perMinute)} jobs/min`;
  const perHour = 60 * perMinute;
  if (perHour >= SMALLEST_RATE) return `${formatNumber(perHour)} jobs/h`;
  return `${formatNumber(24 * perHour)} jobs/d`;
}

/** How fast the work on a task or process goes. */
export interface Speed {
  /** Jobs that end in a minute. */
  rate: number | null;
  stalledSince: string | null;
}

/** The rate of a task or process, like `12 jobs/min`; empty without one, and while it is stalled. */
export function describeRate({ rate, stalledSince }: Speed): string {
  return rate !== null && stalledSince === null ? formatRate(rate) : "";
}

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** A number of bytes in its largest unit, like `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let place = 0;
  while (value >= 1024 && place < BYTE_UNITS.length - 1) {
    value /= 1024;
    place += 1;
  }
  return `${NUMBER.format(value)} ${BYTE_UNITS[place]}`;
}

/** The largest memory against what was requested, like `1.5 GiB of 2 GiB requested (75 %)`. */
export function describeMemory(used: number | null, requested: number | null): string | null {
  if (used === null) return requested === null ? null : `${formatBytes(requested)} requested`;
  if (!requested) return formatBytes(used);
  return `${formatBytes(used)} of ${formatBytes(requested)} requested (${formatPercent(used / requested)})`;
}

/** CPU time, and its part of that of all CPUs over the time that a job ran, like `9 min (75 % of 2 CPUs)`. */
export function describeCpu(
  seconds: number | null,
  cpus: number | null,
  ranMs: number | null,
): string | null {
  if (seconds === null) return cpus === null ? null : formatCount(cpus, "CPU");
  const time = formatDuration(1000 * seconds);
  if (!cpus || !ranMs) return time;
  return `${time} (${formatPercent((1000 * seconds) / (cpus * ranMs))} of ${formatCount(cpus, "CPU")})`;
}

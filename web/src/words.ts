import type {
  EventClass,
  JobState,
  Liveness,
  Outlook,
  ProgressBasis,
  State,
} from "./generated/operations";

/** Job states, in the order in which bars and legends show them. */
export const JOB_STATES: readonly JobState[] = [
  "DONE",
  "FAILED",
  "TERMINATED",
  "RUNNING",
  "SUBMITTED",
  "PENDING",
];

/** The states that resubmission is for. */
export const FAILING: readonly JobState[] = ["FAILED", "TERMINATED"];

/** The states of tasks and processes, in the order of a life. */
export const STATES: readonly State[] = ["PENDING", "SUBMITTED", "RUNNING", "SUCCEEDED", "FAILED"];

const NAMES: Record<JobState | State | Liveness | Outlook | EventClass, string> = {
  ALIVE: "alive",
  AT_RISK: "at risk",
  BEAT: "beat",
  CANNOT_SUCCEED: "cannot succeed",
  DONE: "done",
  FAILED: "failed",
  LATE: "late",
  LOST: "lost",
  ON_TRACK: "on track",
  PENDING: "pending",
  PROGRESS: "progress",
  READY: "ready",
  RUNNING: "running",
  STARTED: "started",
  SUBMITTED: "submitted",
  SUCCEEDED: "succeeded",
  TERMINATED: "terminated",
};

/** A value of an enum as a word. */
export function word(value: keyof typeof NAMES): string {
  return NAMES[value];
}

const NUMBER = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const LARGE = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** A number for people, like `12,340.5`. */
export function number(value: number): string {
  return NUMBER.format(value);
}

/** A number in little room, like `12.3K`. */
export function compact(value: number): string {
  return value < 10_000 ? NUMBER.format(value) : LARGE.format(value);
}

/** A number and its noun, like `1 job` and `2 jobs`. */
export function count(value: number, noun: string, plural = `${noun}s`): string {
  return `${number(value)} ${value === 1 ? noun : plural}`;
}

/** A ratio in percent; only what is whole says 100 %, only nothing says 0 %. */
export function percent(ratio: number): string {
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

/** What a process' progress is counted in, in words: `3 of 5 DONE needed`. */
export function basisInWords(progress: Progress | null, isArray: boolean): string {
  if (progress === null) return "no progress is reported";
  const target = number(progress.target ?? 0);
  const current = number(progress.current);
  switch (progress.basis) {
    case "DONE_JOBS":
      return `${current} of ${target} jobs DONE`;
    case "DONE_OF_THRESHOLD":
      return `${current} of ${target} DONE needed`;
    case "PERCENT":
      return isArray ? "percent, averaged over all jobs" : "percent, by the job’s own word";
    case "VALUE_OF_THRESHOLD":
      return `${current} of ${target} needed, as jobs report`;
  }
}

/** Failures of an array against what it tolerates, in words. */
export function failuresInWords(failures: number, tolerance: number): string {
  if (failures > tolerance) {
    return tolerance === 0
      ? `${number(failures)} failed, none tolerated`
      : `${number(failures)} failed, only ${number(tolerance)} tolerated`;
  }
  if (tolerance === 0) return "no failures, none tolerated";
  return `${number(failures)} of ${number(tolerance)} tolerated failures`;
}

/** Jobs per minute in the unit that suits, like `12.5 jobs/min` or `3 jobs/d`. */
export function rateInWords(perMinute: number): string {
  if (perMinute === 0 || perMinute >= 1) return `${number(perMinute)} jobs/min`;
  const perHour = 60 * perMinute;
  return perHour >= 1 ? `${number(perHour)} jobs/h` : `${number(24 * perHour)} jobs/d`;
}

/** Where payloads tell what went wrong, by custom. */
const TOLD_BY = ["message", "error", "reason", "stderr"];

/**
 * The one line of a payload that says most: the last line of its message, which is where programs
 * say what they died of, and how it ended; otherwise all of it as JSON.
 */
export function messageOf(payload: unknown): string {
  if (payload === null || payload === undefined) return "";
  if (typeof payload === "string") return lastLine(payload);
  if (typeof payload !== "object" || Array.isArray(payload)) return JSON.stringify(payload);
  const fields = payload as Record<string, unknown>;
  const told = TOLD_BY.map((name) => fields[name]).find((value) => typeof value === "string");
  const said = typeof told === "string" ? lastLine(told) : "";
  const end = endInWords(fields);
  if (said === "") return end || JSON.stringify(payload);
  return end ? `${said} (${end})` : said;
}

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1)?.trim() ?? "";
}

/** How a program ended, as `lamia-job run` tells it; empty where nothing does. */
function endInWords(fields: Record<string, unknown>): string {
  const code = fields.exitCode ?? fields.exit_code;
  if (fields.stoppedBy !== undefined) return `stopped by ${fields.stoppedBy}`;
  if (code !== undefined) return `exit code ${code}`;
  return fields.signal === undefined ? "" : `killed by ${fields.signal}`;
}

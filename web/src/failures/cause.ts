import type { FailureCause, FailureKey } from "../generated/operations";

/** What a job told of its end, or of why it is held. */
export interface Told {
  message?: string | null | undefined;
  exitCode?: number | null | undefined;
  signal?: string | null | undefined;
}

/** How a program ended, like `exit 134, SIGABRT`; empty if it did not tell. */
export function describeExit({ exitCode, signal }: Told): string {
  if (exitCode == null) return signal == null ? "" : `killed by ${signal}`;
  return signal == null ? `exit ${exitCode}` : `exit ${exitCode}, ${signal}`;
}

/** Why a job ended or is held, like `std::bad_alloc (exit 134)`; empty if it did not tell. */
export function describeCause(told: Told): string {
  const exit = describeExit(told);
  const message = told.message?.trim() ?? "";
  if (message === "") return exit;
  return exit === "" ? message : `${message} (${exit})`;
}

/** What jobs may have in common. */
export const CAUSE_KEYS: readonly FailureKey[] = ["EXIT", "MESSAGE", "HOST"];

/** Whether a text is an exit code. */
export function isExitCode(text: string): boolean {
  return /^-?\d{1,10}$/.test(text);
}

/** The query parameters of no cause. */
export const NO_CAUSE = { why: null, exit: null, signal: null, message: null, host: null };

/**
 * The cause that a page has picked: `why` lists what the jobs have in common, and `exit`, `signal`,
 * `message` and `host` are its values, which jobs that told none lack. Null without a valid `why`.
 */
export function parseCause(query: URLSearchParams): FailureCause | null {
  const words = (query.get("why") ?? "").split(",").map((word) => word.trim().toUpperCase());
  const by = CAUSE_KEYS.filter((key) => words.includes(key));
  if (by.length === 0) return null;
  const cause: FailureCause = { by };
  const exit = query.get("exit") ?? "";
  if (by.includes("EXIT")) {
    cause.exitCode = isExitCode(exit) ? Number(exit) : null;
    cause.signal = query.get("signal");
  }
  if (by.includes("MESSAGE")) cause.message = query.get("message");
  if (by.includes("HOST")) cause.hostname = query.get("host");
  return cause;
}

/** The query parameters of a cause; see {@link parseCause}. */
export function causeParameters(cause: FailureCause | null): Record<string, string | null> {
  if (cause === null) return NO_CAUSE;
  return {
    why: keysOf(cause).join(",").toLowerCase(),
    exit: cause.exitCode?.toString() ?? null,
    signal: cause.signal ?? null,
    message: cause.message ?? null,
    host: cause.hostname ?? null,
  };
}

/** The query parameters of a page on which a cause is picked; none for null. */
export function queryOf(cause: FailureCause | null): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(causeParameters(cause)))
    if (value !== null) query.set(name, value);
  return query;
}

/** The fields of a cause by what it is by. */
const FIELDS = {
  EXIT: ["exitCode", "signal"],
  MESSAGE: ["message"],
  HOST: ["hostname"],
} as const;

function keysOf({ by }: FailureCause): readonly FailureKey[] {
  return CAUSE_KEYS.filter((key) => by?.includes(key));
}

/** Whether all jobs of a cause have what `part` has in common. */
export function includesCause(cause: FailureCause | null, part: FailureCause): boolean {
  if (cause === null) return false;
  const keys = keysOf(cause);
  return keysOf(part).every(
    (key) =>
      keys.includes(key) &&
      FIELDS[key].every((field) => (cause[field] ?? null) === (part[field] ?? null)),
  );
}

/** The cause with what `part` has in common, in place of what it had; null is any cause. */
export function withCause(cause: FailureCause | null, part: FailureCause): FailureCause {
  return {
    ...cause,
    ...part,
    by: [...new Set([...(cause ? keysOf(cause) : []), ...keysOf(part)])],
  };
}

/** The cause without these keys; null if nothing is left. */
export function withoutKeys(
  cause: FailureCause | null,
  keys: readonly FailureKey[],
): FailureCause | null {
  if (cause === null) return null;
  const by = keysOf(cause).filter((key) => !keys.includes(key));
  if (by.length === 0) return null;
  const left: FailureCause = { by };
  for (const key of by)
    for (const field of FIELDS[key]) Object.assign(left, { [field]: cause[field] });
  return left;
}

/** A cause in words, like `std::bad_alloc (exit 134) on node17`. */
export function nameOf(cause: FailureCause): string {
  const keys = keysOf(cause);
  const parts: string[] = [];
  if (keys.includes("EXIT") || keys.includes("MESSAGE")) {
    const told = describeCause(cause);
    const untold = keys.includes("MESSAGE") ? NOTHING_TOLD : "no exit code";
    parts.push(told === "" ? untold : told);
  }
  if (keys.includes("HOST")) parts.push(`on ${cause.hostname ?? "an unknown host"}`);
  return parts.join(" ");
}

/** Stands for the cause of jobs that told nothing. */
export const NOTHING_TOLD = "nothing told";

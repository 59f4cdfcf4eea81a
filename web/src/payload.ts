import { isPlace } from "./links";

/** Payload fields that hold an error message by convention, most specific first. */
const MESSAGE_FIELDS = ["message", "error", "reason", "stderr"];

/**
 * A one-line summary of a payload: the last line of its message and how the program ended.
 * Payloads with neither are shown as JSON. Empty without a payload.
 */
export function payloadMessage(payload: unknown): string {
  if (payload === null || payload === undefined) return "";
  if (typeof payload === "string") return lastLine(payload);
  if (typeof payload !== "object" || Array.isArray(payload)) return JSON.stringify(payload);
  const fields = payload as Record<string, unknown>;
  const message = MESSAGE_FIELDS.map((name) => joinLines(fields[name])).find(
    (value) => typeof value === "string",
  );
  const summary = typeof message === "string" ? lastLine(message) : "";
  const exit = describeExit(fields);
  if (summary === "") return exit || JSON.stringify(payload);
  return exit ? `${summary} (${exit})` : summary;
}

/** The last line of a text: programs print the cause of a failure last. */
function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1)?.trim() ?? "";
}

/** How a program ended, from the fields that `lamia-job run` sets; empty if unknown. */
function describeExit(fields: Record<string, unknown>): string {
  const code = fields.exitCode ?? fields.exit_code;
  if (fields.stoppedBy !== undefined) return `stopped by ${fields.stoppedBy}`;
  if (code !== undefined) return `exit ${code}`;
  return fields.signal === undefined ? "" : `killed by ${fields.signal}`;
}

/** A payload without what is shown in its own way, and that, with the names of its fields. */
export interface SplitPayload {
  /** Texts of several lines. */
  texts: [name: string, text: string][];
  /** Addresses and paths. */
  places: [name: string, text: string][];
  /** Undefined if nothing else is left. */
  rest: unknown;
}

/**
 * Takes texts of several lines, addresses and paths out of a payload, also out of objects in it,
 * whose names are joined by dots. A payload that is a text has no name.
 */
export function splitPayload(payload: unknown): SplitPayload {
  const split: SplitPayload = { texts: [], places: [], rest: undefined };
  split.rest = take("", payload, split);
  return split;
}

/** Takes them out of a value with a name. Returns what is left; undefined if nothing is. */
function take(name: string, given: unknown, split: SplitPayload): unknown {
  const value = joinLines(given);
  if (isLong(value)) {
    split.texts.push([name, value.trimEnd()]);
    return undefined;
  }
  if (typeof value === "string" && isPlace(value)) {
    split.places.push([name, value]);
    return undefined;
  }
  if (typeof given !== "object" || given === null || Array.isArray(given)) return given;
  const fields = Object.entries(given);
  const rest = fields
    .map(([key, inner]) => [key, take(name === "" ? key : `${name}.${key}`, inner, split)])
    .filter(([, inner]) => inner !== undefined);
  return rest.length === 0 && fields.length > 0 ? undefined : Object.fromEntries(rest);
}

/** Whether a value is a text of several lines. */
function isLong(value: unknown): value is string {
  return typeof value === "string" && value.trimEnd().includes("\n");
}

/** A list of several lines, as `lamia-job run` sends the end of stderr, as one text. */
function joinLines(value: unknown): unknown {
  const isLines =
    Array.isArray(value) && value.length > 1 && value.every((line) => typeof line === "string");
  return isLines ? value.join("\n") : value;
}

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
  const message = MESSAGE_FIELDS.map((name) => fields[name]).find(
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
  if (code !== undefined) return `exit code ${code}`;
  return fields.signal === undefined ? "" : `killed by ${fields.signal}`;
}

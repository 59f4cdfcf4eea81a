import type { Outlook, State } from "../generated/operations";

/** What decides about the place of a process in the list. */
export interface Ordered {
  name: string;
  state: State;
  outlook: Outlook;
  stalledSince: string | null;
  jobCount: number;
  progress: { ratio: number | null } | null;
}

/** The orders of a list of processes, as they are in the address, with their labels. */
export const PROCESS_ORDERS = {
  attention: "needs attention",
  given: "as submitted",
  name: "name",
  progress: "least progress",
  jobs: "most jobs",
} as const;

export type ProcessOrder = keyof typeof PROCESS_ORDERS;

/** The order that the address names; the first one for anything else. */
export function parseProcessOrder(text: string | null): ProcessOrder {
  return text !== null && Object.hasOwn(PROCESS_ORDERS, text)
    ? (text as ProcessOrder)
    : "attention";
}

/** Cannot succeed, at risk, stalled, failed; then what runs, waits, has succeeded. */
function urgency({ state, outlook, stalledSince }: Ordered): number {
  if (state === "SUCCEEDED") return 7;
  if (state === "FAILED") return 3;
  if (outlook !== "ON_TRACK") return outlook === "CANNOT_SUCCEED" ? 0 : 1;
  if (stalledSince !== null) return 2;
  return { RUNNING: 4, SUBMITTED: 5, PENDING: 6 }[state];
}

/** Whether somebody should look at a process: it cannot succeed, is at risk, stalled, or has failed. */
export function needsAttention(process: Ordered): boolean {
  return urgency(process) <= 3;
}

const COMPARE: Record<ProcessOrder, (one: Ordered, other: Ordered) => number> = {
  attention: (one, other) => urgency(one) - urgency(other),
  given: () => 0,
  name: (one, other) => one.name.localeCompare(other.name, "en", { numeric: true }),
  progress: (one, other) => (one.progress?.ratio ?? 0) - (other.progress?.ratio ?? 0),
  jobs: (one, other) => other.jobCount - one.jobCount,
};

/** The processes in an order; those that are equal in it stay as they were given. */
export function orderProcesses<T extends Ordered>(
  processes: readonly T[],
  order: ProcessOrder,
): T[] {
  return processes.toSorted(COMPARE[order]);
}

/** A test for names that contain each word of a text, in any order and case. */
export function nameMatcher(text: string): (name: string) => boolean {
  const words = text.toLowerCase().split(/\s+/);
  return (name) => words.every((word) => name.toLowerCase().includes(word));
}

import type { State, TaskFilter, TaskOrder, TaskOrderField } from "../generated/operations";
import { STATES } from "../words";

/** Spans of time to choose from, in hours. */
export const WITHIN: Record<string, { label: string; hours: number }> = {
  "1h": { label: "last hour", hours: 1 },
  "24h": { label: "last 24 hours", hours: 24 },
  "7d": { label: "last 7 days", hours: 7 * 24 },
  "30d": { label: "last 30 days", hours: 30 * 24 },
};

/** The orders to choose from, by their names in the address. */
export const ORDERS: Record<string, { label: string; field: TaskOrderField }> = {
  received: { label: "received", field: "RECEIVED_AT" },
  submitted: { label: "submitted", field: "SUBMITTED_AT" },
  event: { label: "latest event", field: "LAST_EVENT_AT" },
  finished: { label: "finished", field: "FINISHED_AT" },
  name: { label: "name", field: "NAME" },
};

function words(query: URLSearchParams, name: string): string[] {
  return (query.get(name) ?? "")
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
}

/** The chosen states; what is none is left out. */
export function statesOf(query: URLSearchParams): State[] {
  const chosen = new Set(words(query, "state").map((name) => name.toUpperCase()));
  return STATES.filter((state) => chosen.has(state));
}

/** A local day like `2026-11-24`, moved by so many days, as an ISO time; null where it is none. */
function day(text: string | null, later = 0): string | null {
  if (text === null || !/^\d{4}-\d{2}-\d{2}$/.test(text)) return null;
  const date = new Date(`${text}T00:00:00`);
  if (Number.isNaN(date.getTime())) return null;
  date.setDate(date.getDate() + later);
  return date.toISOString();
}

/**
 * The filter that an address names: `text`, `state`, `tag`, `user`, and `within` or `from` and
 * `to`, which are days of the reader's zone, both included.
 */
export function filterOf(query: URLSearchParams, now: number): TaskFilter {
  const filter: TaskFilter = {};
  const text = query.get("text");
  if (text) filter.text = text;
  const states = statesOf(query);
  if (states.length > 0) filter.states = states;
  const tags = words(query, "tag");
  if (tags.length > 0) filter.tagsAll = tags;
  const users = words(query, "user");
  if (users.length > 0) filter.usernames = users;
  const within = WITHIN[query.get("within") ?? ""];
  const after = within
    ? new Date(now - within.hours * 3_600_000).toISOString()
    : day(query.get("from"));
  const before = within ? null : day(query.get("to"), 1);
  if (after !== null || before !== null) filter.submitted = { after, before };
  return filter;
}

/** The order that an address names by `sort`: a name, with `-` in front for the other way. */
export function orderOf(query: URLSearchParams): Required<TaskOrder> & { name: string } {
  const [, down, name = ""] = /^(-?)(\w*)$/.exec(query.get("sort") ?? "") ?? [];
  const found = ORDERS[name];
  if (found === undefined) return { name: "received", field: "RECEIVED_AT", direction: "DESC" };
  return { name, field: found.field, direction: down ? "DESC" : "ASC" };
}

/** An order as the address names it. */
export function sortOf(name: string, descending: boolean): string {
  return `${descending ? "-" : ""}${name}`;
}

/** Whether an order goes downwards when it is chosen: the latest first, but names from A on. */
export function isDownAtFirst(name: string): boolean {
  return name !== "name";
}

/** Whether the address asks for less than all tasks. */
export function isFiltered(query: URLSearchParams): boolean {
  return Object.keys(filterOf(query, 0)).length > 0;
}

/** What to change in an address so that it asks for all tasks. */
export const NO_FILTER = {
  text: null,
  user: null,
  tag: null,
  state: null,
  within: null,
  from: null,
  to: null,
};

import type { State, TaskFilter, TaskOrder, TaskOrderField } from "../generated/operations";
import { STATES } from "../states";

/** Periods to select from, by their names in the URL. */
export const PERIODS: Record<string, { label: string; hours: number }> = {
  "1h": { label: "last hour", hours: 1 },
  "24h": { label: "last 24 hours", hours: 24 },
  "7d": { label: "last 7 days", hours: 7 * 24 },
  "30d": { label: "last 30 days", hours: 30 * 24 },
};

/** Sort orders to select from, by their names in the URL. */
export const ORDERS: Record<string, { label: string; field: TaskOrderField }> = {
  received: { label: "received", field: "RECEIVED_AT" },
  submitted: { label: "submitted", field: "SUBMITTED_AT" },
  event: { label: "latest event", field: "LAST_EVENT_AT" },
  finished: { label: "finished", field: "FINISHED_AT" },
  name: { label: "name", field: "NAME" },
};

function listOf(query: URLSearchParams, name: string): string[] {
  return (query.get(name) ?? "")
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
}

/** The selected states. Unknown names are ignored. */
export function parseStates(query: URLSearchParams): State[] {
  const chosen = new Set(listOf(query, "state").map((name) => name.toUpperCase()));
  return STATES.filter((state) => chosen.has(state));
}

/** The start of a local day like `2026-11-24`, plus `later` days, as an ISO time; null if invalid. */
function day(text: string | null, later = 0): string | null {
  if (text === null || !/^\d{4}-\d{2}-\d{2}$/.test(text)) return null;
  const date = new Date(`${text}T00:00:00`);
  if (Number.isNaN(date.getTime())) return null;
  date.setDate(date.getDate() + later);
  return date.toISOString();
}

/**
 * The task filter of a URL: `text`, `state`, `tag`, `user`, and `within` or `from` and `to`. These
 * two are days in the browser's time zone, both inclusive.
 */
export function parseFilter(query: URLSearchParams, now: number): TaskFilter {
  const filter: TaskFilter = {};
  const text = query.get("text");
  if (text) filter.text = text;
  const states = parseStates(query);
  if (states.length > 0) filter.states = states;
  const tags = listOf(query, "tag");
  if (tags.length > 0) filter.tagsAll = tags;
  const users = listOf(query, "user");
  if (users.length > 0) filter.usernames = users;
  const within = PERIODS[query.get("within") ?? ""];
  const after = within
    ? new Date(now - within.hours * 3_600_000).toISOString()
    : day(query.get("from"));
  const before = within ? null : day(query.get("to"), 1);
  if (after !== null || before !== null) filter.submitted = { after, before };
  return filter;
}

/** The sort order of a URL, from `sort`: a name, with `-` in front for descending. */
export function parseOrder(query: URLSearchParams): Required<TaskOrder> & { name: string } {
  const [, down, name = ""] = /^(-?)(\w*)$/.exec(query.get("sort") ?? "") ?? [];
  const found = ORDERS[name];
  if (found === undefined) return { name: "received", field: "RECEIVED_AT", direction: "DESC" };
  return { name, field: found.field, direction: down ? "DESC" : "ASC" };
}

/** The `sort` parameter of an order. */
export function formatSort(name: string, descending: boolean): string {
  return `${descending ? "-" : ""}${name}`;
}

/** Whether an order is descending when it is selected: all but names. */
export function isDescendingByDefault(name: string): boolean {
  return name !== "name";
}

/** Whether a URL has a filter. */
export function isFiltered(query: URLSearchParams): boolean {
  return Object.keys(parseFilter(query, 0)).length > 0;
}

/** The query parameters to change to remove the filter. */
export const NO_FILTER = {
  text: null,
  user: null,
  tag: null,
  state: null,
  within: null,
  from: null,
  to: null,
};

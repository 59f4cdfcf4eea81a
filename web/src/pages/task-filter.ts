import type {
  Outlook,
  State,
  TaskFilter,
  TaskOrder,
  TaskOrderField,
} from "../generated/operations";
import { STATES } from "../states";

/** Periods to select from, by their names in the URL. */
export const PERIODS: Record<string, { label: string; hours: number }> = {
  "1h": { label: "last hour", hours: 1 },
  "24h": { label: "last 24 hours", hours: 24 },
  "7d": { label: "last 7 days", hours: 7 * 24 },
  "30d": { label: "last 30 days", hours: 30 * 24 },
};

/** Sort orders to select from, by their names in the URL. The first is the default. */
export const ORDERS: Record<string, { label: string; field: TaskOrderField }> = {
  attention: { label: "needs attention", field: "ATTENTION" },
  received: { label: "received", field: "RECEIVED_AT" },
  submitted: { label: "submitted", field: "SUBMITTED_AT" },
  event: { label: "latest event", field: "LAST_EVENT_AT" },
  finished: { label: "finished", field: "FINISHED_AT" },
  name: { label: "name", field: "NAME" },
};

/** The outlooks to select from. */
export const OUTLOOKS: readonly Outlook[] = ["CANNOT_SUCCEED", "AT_RISK", "ON_TRACK"];

/** The words of a list in a URL, separated by commas. */
export function listOf(query: URLSearchParams, name: string): string[] {
  return (query.get(name) ?? "")
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
}

function chosenOf<T extends string>(query: URLSearchParams, name: string, all: readonly T[]): T[] {
  const chosen = new Set(listOf(query, name).map((word) => word.toUpperCase()));
  return all.filter((value) => chosen.has(value));
}

/** The selected states. Unknown names are ignored. */
export function parseStates(query: URLSearchParams): State[] {
  return chosenOf(query, "state", STATES);
}

/** The selected outlooks. Unknown names are ignored. */
export function parseOutlooks(query: URLSearchParams): Outlook[] {
  return chosenOf(query, "outlook", OUTLOOKS);
}

/** The start of a local day like `2026-11-24`, plus `later` days, as an ISO time; null if invalid. */
export function parseDay(text: string | null, later = 0): string | null {
  if (text === null || !/^\d{4}-\d{2}-\d{2}$/.test(text)) return null;
  const date = new Date(`${text}T00:00:00`);
  if (Number.isNaN(date.getTime())) return null;
  date.setDate(date.getDate() + later);
  return date.toISOString();
}

/**
 * The task filter of a URL: `text`, `state`, `outlook`, `tag`, `user`, `host`, `message`, and `within`
 * or `from` and `to`. These two are days in the browser's time zone, both inclusive.
 */
export function parseFilter(query: URLSearchParams, now: number): TaskFilter {
  const filter: TaskFilter = {};
  const text = query.get("text");
  if (text) filter.text = text;
  const states = parseStates(query);
  if (states.length > 0) filter.states = states;
  const outlooks = parseOutlooks(query);
  if (outlooks.length > 0) filter.outlooks = outlooks;
  const tags = listOf(query, "tag");
  if (tags.length > 0) filter.tagsAll = tags;
  const users = listOf(query, "user");
  if (users.length > 0) filter.usernames = users;
  const hosts = listOf(query, "host");
  if (hosts.length > 0) filter.hostnames = hosts;
  const message = query.get("message");
  if (message) filter.message = message;
  const within = PERIODS[query.get("within") ?? ""];
  const after = within
    ? new Date(now - within.hours * 3_600_000).toISOString()
    : parseDay(query.get("from"));
  const before = within ? null : parseDay(query.get("to"), 1);
  if (after !== null || before !== null) filter.submitted = { after, before };
  return filter;
}

/** The sort order of a URL, from `sort`: a name, with `-` in front for descending. */
export function parseOrder(query: URLSearchParams): Required<TaskOrder> & { name: string } {
  const [, down, name = ""] = /^(-?)(\w*)$/.exec(query.get("sort") ?? "") ?? [];
  const found = ORDERS[name];
  if (found === undefined || found.field === "ATTENTION") {
    return { name: "attention", field: "ATTENTION", direction: "DESC" };
  }
  return { name, field: found.field, direction: down ? "DESC" : "ASC" };
}

/** The `sort` parameter of an order. */
export function formatSort(name: string, descending: boolean): string {
  return `${descending && name !== "attention" ? "-" : ""}${name}`;
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
  host: null,
  message: null,
  state: null,
  outlook: null,
  within: null,
  from: null,
  to: null,
};

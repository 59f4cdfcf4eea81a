import { createClient } from "graphql-ws";
import { GRAPHQL_URL } from "./api";
import {
  JobEventStreamDocument,
  TaskChangedDocument,
  type TypedDocumentString,
} from "./generated/operations";
import type { JobEvent } from "./job-phases";
import { Store, useStore } from "./store";

const PING_INTERVAL_MS = 10_000;
const PONG_TIMEOUT_MS = 5000;
const MIN_RECONNECT_DELAY_MS = 300;
const MAX_RECONNECT_DELAY_MS = 3000;
/** Delay before a subscription that ended with an error is started again. */
const RESUBSCRIBE_DELAY_MS = 2000;
/** The same for a task, process or job that does not exist: it may be created later. */
const NOT_FOUND_DELAY_MS = 20_000;
/** Events that arrive within this time are delivered together. */
const BATCH_WINDOW_MS = 100;

/** State of the WebSocket connection. */
export type ConnectionState = "connecting" | "live" | "disconnected";

const connection = new Store<ConnectionState>("connecting");

/** Number of reconnects. Data fetched before the latest one may be stale. */
export const reconnectCount = new Store(0);

/** The current state of the connection. */
export function useConnection(): ConnectionState {
  return useStore(connection);
}

let overdue: ReturnType<typeof setTimeout> | undefined;

const client = createClient({
  url: GRAPHQL_URL.replace(/^http/, "ws"),
  lazy: false,
  onNonLazyError: () => connection.set("disconnected"),
  keepAlive: PING_INTERVAL_MS,
  retryAttempts: Number.POSITIVE_INFINITY,
  shouldRetry: () => true,
  retryWait: (retries) => {
    const delay = Math.min(MAX_RECONNECT_DELAY_MS, MIN_RECONNECT_DELAY_MS * 2 ** retries);
    // Random, so that not all pages reconnect at once.
    return new Promise((resolve) => setTimeout(resolve, delay * (0.7 + 0.6 * Math.random())));
  },
  on: {
    connected: () => {
      if (connection.get() === "disconnected") reconnectCount.set(reconnectCount.get() + 1);
      connection.set("live");
    },
    closed: () => {
      clearTimeout(overdue);
      connection.set("disconnected");
    },
    ping: (received) => {
      // A connection that was cut without a close looks open: only the missing pong shows it.
      if (!received) overdue = setTimeout(() => client.terminate(), PONG_TIMEOUT_MS);
    },
    pong: (received) => {
      if (received) clearTimeout(overdue);
    },
  },
});

/**
 * Starts a subscription and returns a function that ends it. After an error it is started again,
 * with the result of `variables()` at that time. `completed` is called when the server ends it, or
 * does not know the cursor in the variables any more.
 */
function subscribe<T, V extends Record<string, unknown>>(
  document: TypedDocumentString<T, V>,
  variables: () => V,
  next: (data: T) => void,
  completed: () => void,
): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stop = () => {};
  const start = () => {
    stop = client.subscribe<T>(
      { query: document.toString(), variables: variables() },
      {
        next: ({ data }) => data && next(data),
        complete: completed,
        error: (reason) => {
          const codes = codesOf(reason);
          if (codes.includes("CURSOR_INVALID")) {
            completed();
            return;
          }
          timer = setTimeout(
            start,
            codes.some(isNotFound) ? NOT_FOUND_DELAY_MS : RESUBSCRIBE_DELAY_MS,
          );
        },
      },
    );
  };
  start();
  return () => {
    clearTimeout(timer);
    stop();
  };
}

/** The codes of the errors that ended a subscription. */
function codesOf(reason: unknown): (string | undefined)[] {
  return Array.isArray(reason)
    ? reason.map((error: { extensions?: { code?: string } }) => error.extensions?.code)
    : [];
}

/** Whether an error says that the task, process or job does not exist. */
function isNotFound(code: string | undefined): boolean {
  return code !== undefined && (code.endsWith("_NOT_FOUND") || code.startsWith("INDEX_"));
}

interface SharedSubscription {
  listeners: Set<() => void>;
  end: () => void;
}

const sharedSubscriptions = new Map<string, SharedSubscription>();

/**
 * Calls `changed` when one of these tasks changed (any task, for null). Returns a function that
 * ends this. Equal names share one subscription.
 */
export function watchTasks(names: readonly string[] | null, changed: () => void): () => void {
  const key = JSON.stringify(names);
  let shared = sharedSubscriptions.get(key);
  if (shared === undefined) {
    const listeners = new Set<() => void>();
    const notify = () => {
      for (const listener of listeners) listener();
    };
    const variables = { names: names && [...names] };
    shared = { listeners, end: subscribe(TaskChangedDocument, () => variables, notify, notify) };
    sharedSubscriptions.set(key, shared);
  }
  const { listeners, end } = shared;
  listeners.add(changed);
  return () => {
    listeners.delete(changed);
    if (listeners.size > 0) return;
    sharedSubscriptions.delete(key);
    end();
  };
}

/** The events of one job after a cursor. */
export interface EventSelection {
  task: string;
  process: string;
  index: number | null;
  after: string | null;
}

/**
 * Calls `arrived` with new events of a job. Returns a function that ends this. Calls `completed` when
 * the task is deleted, or the cursor belongs to an earlier task of the same name.
 */
export function watchEvents(
  selection: EventSelection,
  arrived: (events: readonly JobEvent[]) => void,
  completed: () => void,
): () => void {
  let pending: JobEvent[] = [];
  let after = selection.after;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = () => {
    timer = undefined;
    const events = pending;
    pending = [];
    arrived(events);
  };
  const end = subscribe(
    JobEventStreamDocument,
    () => ({ ...selection, after }),
    ({ events }) => {
      after = events.cursor;
      pending.push(events.node);
      timer ??= setTimeout(flush, BATCH_WINDOW_MS);
    },
    completed,
  );
  return () => {
    clearTimeout(timer);
    end();
  };
}

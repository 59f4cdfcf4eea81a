import { createClient } from "graphql-ws";
import { GRAPHQL_URL } from "./api";
import {
  JobEventStreamDocument,
  TaskChangedDocument,
  type TypedDocumentString,
} from "./generated/operations";
import type { JobEvent } from "./life";
import { Store, useStore } from "./store";

/** Between signs of life that the server is asked for, in ms. */
const HEARTBEAT = 10_000;
/** For how long it may owe one. */
const PATIENCE = 5000;
const FIRST_PAUSE = 300;
const LONGEST_PAUSE = 3000;
/** Before a subscription that the server ended with an error is begun again. */
const PAUSE = 2000;
/** Before one is begun again for which there is no such task, process or job: it may yet come. */
const LONG_PAUSE = 20_000;
/** Events that come within this time are handed over together. */
const GATHERED = 100;

/** Whether the server tells of changes as they happen. */
export type Connection = "connecting" | "live" | "away";

const connection = new Store<Connection>("connecting");

/** How many times the connection came back: what was fetched before may be stale. */
export const reconnects = new Store(0);

/** The state of the connection, as it is now and whenever it changes. */
export function useConnection(): Connection {
  return useStore(connection);
}

let overdue: ReturnType<typeof setTimeout> | undefined;

const client = createClient({
  url: GRAPHQL_URL.replace(/^http/, "ws"),
  lazy: false,
  onNonLazyError: () => connection.set("away"),
  keepAlive: HEARTBEAT,
  retryAttempts: Number.POSITIVE_INFINITY,
  shouldRetry: () => true,
  retryWait: (retries) => {
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** retries);
    // Not all the pages in the world at once.
    return new Promise((resolve) => setTimeout(resolve, pause * (0.7 + 0.6 * Math.random())));
  },
  on: {
    connected: () => {
      if (connection.get() === "away") reconnects.set(reconnects.get() + 1);
      connection.set("live");
    },
    closed: () => {
      clearTimeout(overdue);
      connection.set("away");
    },
    ping: (received) => {
      // A connection that was cut silently looks open: only silence tells.
      if (!received) overdue = setTimeout(() => client.terminate(), PATIENCE);
    },
    pong: (received) => {
      if (received) clearTimeout(overdue);
    },
  },
});

/**
 * A subscription that goes on until it is ended by the result. After an error it begins again, with
 * the variables that then hold; `ended` is told when the server has completed it.
 */
function subscribe<T, V extends Record<string, unknown>>(
  document: TypedDocumentString<T, V>,
  variables: () => V,
  next: (data: T) => void,
  ended: () => void,
): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stop = () => {};
  const begin = () => {
    stop = client.subscribe<T>(
      { query: document.toString(), variables: variables() },
      {
        next: ({ data }) => data && next(data),
        complete: ended,
        error: (reason) => {
          timer = setTimeout(begin, isOfNothing(reason) ? LONG_PAUSE : PAUSE);
        },
      },
    );
  };
  begin();
  return () => {
    clearTimeout(timer);
    stop();
  };
}

/** Whether what was to be watched is not there. */
function isOfNothing(reason: unknown): boolean {
  const codes = Array.isArray(reason)
    ? reason.map((error: { extensions?: { code?: string } }) => error.extensions?.code)
    : [];
  return codes.some((code) => code?.endsWith("_NOT_FOUND") || code?.startsWith("INDEX_"));
}

interface Watch {
  listeners: Set<() => void>;
  end: () => void;
}

const watches = new Map<string, Watch>();

/** Calls `changed` when one of these tasks (any, for null) changed; ends by the result. */
export function watchTasks(names: readonly string[] | null, changed: () => void): () => void {
  const key = JSON.stringify(names);
  let watch = watches.get(key);
  if (watch === undefined) {
    const listeners = new Set<() => void>();
    const tell = () => {
      for (const listener of listeners) listener();
    };
    const variables = { names: names && [...names] };
    watch = { listeners, end: subscribe(TaskChangedDocument, () => variables, tell, tell) };
    watches.set(key, watch);
  }
  const { listeners, end } = watch;
  listeners.add(changed);
  return () => {
    listeners.delete(changed);
    if (listeners.size > 0) return;
    watches.delete(key);
    end();
  };
}

/** Which job's events, from which cursor on. */
export interface EventsWanted {
  task: string;
  process: string;
  index: number | null;
  after: string | null;
}

/** Hands over the events of a job as they come; ends by the result. */
export function watchEvents(
  wanted: EventsWanted,
  arrived: (events: readonly JobEvent[]) => void,
): () => void {
  let waiting: JobEvent[] = [];
  let after = wanted.after;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const handOver = () => {
    timer = undefined;
    const events = waiting;
    waiting = [];
    arrived(events);
  };
  const end = subscribe(
    JobEventStreamDocument,
    () => ({ ...wanted, after }),
    ({ events }) => {
      after = events.cursor;
      waiting.push(events.node);
      timer ??= setTimeout(handOver, GATHERED);
    },
    () => {},
  );
  return () => {
    clearTimeout(timer);
    end();
  };
}

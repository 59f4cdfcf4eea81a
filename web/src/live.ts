import { execute } from "./api";
import { JobEventsDocument } from "./generated/operations";
import type { JobEvent } from "./life";
import { Store, useStore } from "./store";

/** How many times the connection came back: what was fetched before may be stale. */
export const reconnects = new Store(0);

/** Whether the server tells of changes as they happen. */
export type Connection = "connecting" | "live" | "away";

const connection = new Store<Connection>("live");

/** The state of the connection, as it is now and whenever it changes. */
export function useConnection(): Connection {
  return useStore(connection);
}

const PERIOD = 3000;

/** Calls `changed` when one of these tasks (any, for null) may have changed; ends by the result. */
export function watchTasks(_names: readonly string[] | null, changed: () => void): () => void {
  const timer = setInterval(() => {
    if (!document.hidden) changed();
  }, PERIOD);
  return () => clearInterval(timer);
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
  const control = new AbortController();
  const { after: _after, ...address } = wanted;
  const timer = setInterval(() => {
    if (document.hidden) return;
    const variables = { ...address, last: 100, before: null, eventClass: null };
    execute(JobEventsDocument, variables, control.signal).then(
      ({ job }) => job && arrived(job.events.nodes),
      () => {
        // Asked again in a moment.
      },
    );
  }, PERIOD);
  return () => {
    clearInterval(timer);
    control.abort();
  };
}

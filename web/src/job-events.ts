import { useCallback, useEffect, useState } from "react";
import { ApiError, asApiError, execute, retryDelayMs } from "./api";
import { reconnectCount } from "./connection";
import {
  type EventClass,
  JobEventsDocument,
  type JobEventsQuery,
  type JobEventsQueryVariables,
  NewJobEventsDocument,
} from "./generated/operations";
import type { JobEvent } from "./job-phases";
import { subscribe } from "./subscriptions";
import { throttle } from "./throttle";

const PAGE_SIZE = 100;
/** Number of latest events that are kept: a page that stays open must not grow. */
const MAX_EVENTS = 500;
/** Shortest time between two moments at which new events are shown. */
const MIN_INTERVAL_MS = 1000;
/** More new events in this time are too many to read. */
const MAX_READABLE = 8;
/** After so long without an event, a job is not busy any more. */
const CALM_MS = 2000;
/** Shortest time between two calls of `changed` for events that neither start nor end anything. */
const MINOR_INTERVAL_MS = 5000;
/** The cursor before the first event. */
const START_CURSOR = "";
const MILESTONES: EventClass[] = [
  "SUBMITTED",
  "STARTED",
  "READY",
  "HELD",
  "DONE",
  "FAILED",
  "TERMINATED",
];

/** Identifies a job. `index` is null for a solitary process. */
export interface JobAddress {
  task: string;
  process: string;
  index: number | null;
}

/** The loaded events of a job. */
export interface JobEvents {
  /** The latest events, oldest first, without gaps. */
  latest: readonly JobEvent[];
  /** Older starts, ends and numbers, for the timeline. */
  earlier: readonly JobEvent[];
  total: number;
  /** Tells which list this is: another one once older events are loaded, or all anew. */
  scope: string;
  /** Whether more events come than one can read. */
  isBusy: boolean;
  /** Loads older events; null if there are none, or if the maximum is loaded. */
  loadOlder: (() => void) | null;
  error: ApiError | undefined;
}

interface LoadedEvents {
  latest: JobEvent[];
  earlier: JobEvent[];
  total: number;
  start: string | null;
  hasOlder: boolean;
}

type Page = NonNullable<JobEventsQuery["job"]>["events"];

async function fetchPage(
  address: JobAddress,
  signal: AbortSignal,
  page: Partial<JobEventsQueryVariables>,
): Promise<Page> {
  const { job } = await execute(JobEventsDocument, { ...address, ...page }, signal);
  signal.throwIfAborted();
  if (job === null) throw new ApiError("Job not found.", false);
  return job.events;
}

/** The last page of events before a cursor, of some classes or of all. */
function fetchBefore(
  address: JobAddress,
  signal: AbortSignal,
  before: string | null,
  eventClass?: EventClass[],
): Promise<Page> {
  return fetchPage(address, signal, { last: PAGE_SIZE, before, eventClass });
}

/** Whether the timeline shows an event: a start, an end, or any event with a number. */
function isShownInTimeline({ eventClass, progress }: JobEvent): boolean {
  return progress !== null || MILESTONES.includes(eventClass);
}

/** Adds new events. Of those that exceed the maximum, the ones for the timeline are kept. */
function append(loaded: LoadedEvents, more: readonly JobEvent[]): LoadedEvents {
  const ids = new Set(loaded.latest.map((event) => event.id));
  const fresh = more.filter((event) => !ids.has(event.id));
  if (fresh.length === 0) return loaded;
  const all = [...loaded.latest, ...fresh];
  const dropped = all.slice(0, -MAX_EVENTS).filter(isShownInTimeline);
  return {
    ...loaded,
    latest: all.slice(-MAX_EVENTS),
    earlier: [...loaded.earlier, ...dropped].slice(-MAX_EVENTS),
    total: loaded.total + fresh.length,
  };
}

/** Adds the page before the loaded events. */
function prepend(loaded: LoadedEvents, { nodes, pageInfo }: Page): LoadedEvents {
  // A second click may load the same page twice.
  if (loaded.start === pageInfo.startCursor) return loaded;
  const ids = new Set(nodes.map((event) => event.id));
  return {
    ...loaded,
    latest: [...nodes, ...loaded.latest],
    earlier: loaded.earlier.filter((event) => !ids.has(event.id)),
    start: pageInfo.startCursor,
    hasOlder: pageInfo.hasPreviousPage,
  };
}

/** Loads the latest page of events, and older ones of every class for the timeline. */
async function fetchInitial(
  address: JobAddress,
  signal: AbortSignal,
): Promise<[LoadedEvents, Page]> {
  const latest = await fetchBefore(address, signal, null);
  const { startCursor: start, hasPreviousPage: hasOlder } = latest.pageInfo;
  const earlier = hasOlder
    ? await Promise.all([
        fetchBefore(address, signal, start, MILESTONES),
        fetchBefore(address, signal, start, ["PROGRESS"]),
        fetchBefore(address, signal, start, ["BEAT"]),
      ])
    : [];
  const loaded = {
    latest: [...latest.nodes],
    earlier: earlier.flatMap((events) => events.nodes).filter(isShownInTimeline),
    total: latest.totalCount,
    start,
    hasOlder,
  };
  return [loaded, latest];
}

/**
 * The events of a job, which are loaded once; new ones are pushed. All of them are loaded anew when
 * the task was deleted or replaced by another one of the same name. `changed` is called in each case;
 * of events that neither start nor end anything, every 5 seconds.
 */
export function useJobEvents({ task, process, index }: JobAddress, changed: () => void): JobEvents {
  const [loaded, setLoaded] = useState<LoadedEvents>();
  const [error, setError] = useState<ApiError>();
  const [replacements, setReplacements] = useState(0);
  const [isBusy, setBusy] = useState(false);

  const reload = useCallback(() => {
    setReplacements((count) => count + 1);
    changed();
  }, [changed]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a replaced task is loaded anew
  useEffect(() => {
    const control = new AbortController();
    const { signal } = control;
    const address = { task, process, index };
    let after: string | undefined;
    let fresh: JobEvent[] = [];
    let shownAt = 0;
    let toldAt = 0;
    let calm: ReturnType<typeof setTimeout> | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let unsubscribe = () => {};

    const { call: show, cancel } = throttle(
      async () => {
        shownAt = Date.now();
        const shown = fresh;
        fresh = [];
        setLoaded((before) => before && append(before, shown));
        setBusy(shown.length > MAX_READABLE);
        clearTimeout(calm);
        calm = setTimeout(() => setBusy(false), CALM_MS);
      },
      () => shownAt + MIN_INTERVAL_MS - Date.now(),
    );
    const minor = throttle(
      async () => {
        toldAt = Date.now();
        changed();
      },
      () => toldAt + MINOR_INTERVAL_MS - Date.now(),
    );
    const follow = () => {
      if (after === undefined) return;
      unsubscribe();
      unsubscribe = subscribe(NewJobEventsDocument, () => ({ ...address, after }), {
        next: ({ events: { cursor, node } }) => {
          after = cursor;
          fresh.push(node);
          show();
          if (MILESTONES.includes(node.eventClass)) changed();
          else minor.call();
        },
        ended: reload,
      });
    };
    const load = async () => {
      try {
        const [initial, latest] = await fetchInitial(address, signal);
        setLoaded(initial);
        setError(undefined);
        after = latest.pageInfo.endCursor ?? START_CURSOR;
        follow();
      } catch (reason) {
        if (signal.aborted) return;
        const error = asApiError(reason);
        // The task was replaced meanwhile.
        if (error.code === "CURSOR_INVALID") return reload();
        setError(error);
        timer = setTimeout(() => void load(), retryDelayMs(error));
      }
    };
    void load();
    // What is sent again after an interruption begins with the latest event.
    const unlisten = reconnectCount.subscribe(follow);
    return () => {
      control.abort();
      clearTimeout(timer);
      clearTimeout(calm);
      unlisten();
      unsubscribe();
      cancel();
      minor.cancel();
    };
  }, [task, process, index, replacements, reload, changed]);

  const start = loaded?.start ?? null;
  const loadOlder = useCallback(() => {
    const address = { task, process, index };
    fetchBefore(address, new AbortController().signal, start).then(
      (events) => setLoaded((before) => before && prepend(before, events)),
      (reason: unknown) => {
        const error = asApiError(reason);
        if (error.code === "CURSOR_INVALID") reload();
        else setError(error);
      },
    );
  }, [task, process, index, start, reload]);

  const canLoadMore = loaded?.hasOlder && loaded.latest.length < MAX_EVENTS;
  return {
    latest: loaded?.latest ?? [],
    earlier: loaded?.earlier ?? [],
    total: loaded?.total ?? 0,
    scope: `${replacements} ${start}`,
    isBusy,
    loadOlder: canLoadMore ? loadOlder : null,
    error,
  };
}

import { useCallback, useEffect, useState } from "react";
import { ApiError, asApiError, execute, retryDelayMs } from "./api";
import { type EventClass, JobEventsDocument, type JobEventsQuery } from "./generated/operations";
import type { JobEvent } from "./job-phases";
import { useStore } from "./store";
import { reconnectCount, watchEvents } from "./subscriptions";

const PAGE_SIZE = 100;
/** Number of latest events that are kept: a page that stays open must not grow. */
const MAX_EVENTS = 500;
/** The cursor before the first event. */
const START_CURSOR = "";
const MILESTONES: readonly EventClass[] = [
  "SUBMITTED",
  "STARTED",
  "READY",
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
  before: string | null,
  eventClass: readonly EventClass[] | null,
): Promise<Page> {
  const variables = {
    ...address,
    last: PAGE_SIZE,
    before,
    eventClass: eventClass && [...eventClass],
  };
  const { job } = await execute(JobEventsDocument, variables, signal);
  if (job === null) throw new ApiError("Job not found.", false);
  return job.events;
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
  const latest = await fetchPage(address, signal, null, null);
  const { startCursor: start, hasPreviousPage: hasOlder } = latest.pageInfo;
  const earlier = hasOlder
    ? await Promise.all([
        fetchPage(address, signal, start, MILESTONES),
        fetchPage(address, signal, start, ["PROGRESS"]),
        fetchPage(address, signal, start, ["BEAT"]),
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
 * The events of a job, kept up to date by a subscription. A reconnect loads what was missed. All of
 * them are loaded anew when the task was replaced by another one of the same name.
 */
export function useJobEvents({ task, process, index }: JobAddress): JobEvents {
  const [loaded, setLoaded] = useState<LoadedEvents>();
  const [error, setError] = useState<ApiError>();
  const [replacements, setReplacements] = useState(0);
  const connections = useStore(reconnectCount);

  const reload = useCallback(() => setReplacements((count) => count + 1), []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a reconnect loads what was missed
  useEffect(() => {
    const control = new AbortController();
    const address = { task, process, index };
    let stop = () => {};
    let timer: ReturnType<typeof setTimeout> | undefined;
    const fetchAndWatch = async () => {
      const [loaded, latest] = await fetchInitial(address, control.signal);
      if (control.signal.aborted) return;
      setError(undefined);
      setLoaded(loaded);
      // Without an end cursor there is no event yet: subscribe to all.
      const after = latest.pageInfo.endCursor ?? START_CURSOR;
      const arrived = (events: readonly JobEvent[]) =>
        setLoaded((before) => before && append(before, events));
      stop = watchEvents({ ...address, after }, arrived, reload);
    };
    const start = () => {
      fetchAndWatch().catch((reason: unknown) => {
        if (control.signal.aborted) return;
        const error = asApiError(reason);
        setError(error);
        timer = setTimeout(start, retryDelayMs(error));
      });
    };
    start();
    return () => {
      control.abort();
      clearTimeout(timer);
      stop();
    };
  }, [task, process, index, connections, replacements, reload]);

  const start = loaded?.start ?? null;
  const loadOlder = useCallback(() => {
    const address = { task, process, index };
    fetchPage(address, new AbortController().signal, start, null).then(
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
    loadOlder: canLoadMore ? loadOlder : null,
    error,
  };
}

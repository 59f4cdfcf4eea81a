import { useCallback, useEffect, useState } from "react";
import { ApiError, asApiError, execute, retryDelayMs } from "./api";
import { type EventClass, JobEventsDocument, type JobEventsQuery } from "./generated/operations";
import type { JobEvent } from "./life";
import { reconnects, watchEvents } from "./live";
import { useStore } from "./store";

const PAGE = 100;
/** As many events are kept of a job, the latest; a page that is left open must not grow. */
const KEPT = 500;
/** The place before the first event. */
const BEGINNING = "";
const MILESTONES: readonly EventClass[] = [
  "SUBMITTED",
  "STARTED",
  "READY",
  "DONE",
  "FAILED",
  "TERMINATED",
];

/** Which job: `index` is null for a solitary process. */
export interface JobAddress {
  task: string;
  process: string;
  index: number | null;
}

/** The events of a job, as far as they are known. */
export interface JobEvents {
  /** The latest events, oldest first, without gaps. */
  latest: readonly JobEvent[];
  /** Starts, ends and reports that are older than those, as many as the life line can use. */
  earlier: readonly JobEvent[];
  total: number;
  /** Fetches older events; null where there are none, or none more are kept. */
  older: (() => void) | null;
  error: ApiError | undefined;
}

interface Known {
  latest: JobEvent[];
  earlier: JobEvent[];
  total: number;
  start: string | null;
  hasOlder: boolean;
}

type Page = NonNullable<JobEventsQuery["job"]>["events"];

async function page(
  address: JobAddress,
  signal: AbortSignal,
  before: string | null,
  eventClass: readonly EventClass[] | null,
): Promise<Page> {
  const variables = { ...address, last: PAGE, before, eventClass: eventClass && [...eventClass] };
  const { job } = await execute(JobEventsDocument, variables, signal);
  if (job === null) throw new ApiError("There is no such job.", false);
  return job.events;
}

/** What is known, with more events: the latest are kept, and of older ones what makes the line. */
function extended(known: Known, more: readonly JobEvent[]): Known {
  const ids = new Set(known.latest.map((event) => event.id));
  const fresh = more.filter((event) => !ids.has(event.id));
  if (fresh.length === 0) return known;
  const all = [...known.latest, ...fresh];
  const dropped = all.slice(0, -KEPT).filter((event) => event.eventClass !== "BEAT");
  return {
    ...known,
    latest: all.slice(-KEPT),
    earlier: [...known.earlier, ...dropped].slice(-KEPT),
    total: known.total + fresh.length,
  };
}

/** What is known, with the page of events that lies before the latest. */
function prepended(known: Known, { nodes, pageInfo }: Page): Known {
  // Asked for twice, a page comes twice.
  if (known.start === pageInfo.startCursor) return known;
  const ids = new Set(nodes.map((event) => event.id));
  return {
    ...known,
    latest: [...nodes, ...known.latest],
    earlier: known.earlier.filter((event) => !ids.has(event.id)),
    start: pageInfo.startCursor,
    hasOlder: pageInfo.hasPreviousPage,
  };
}

/** What is known of a job's events at first: the latest, and what of older ones makes the line. */
async function fetchKnown(address: JobAddress, signal: AbortSignal): Promise<[Known, Page]> {
  const latest = await page(address, signal, null, null);
  const { startCursor: start, hasPreviousPage: hasOlder } = latest.pageInfo;
  const earlier = hasOlder
    ? await Promise.all([
        page(address, signal, start, MILESTONES),
        page(address, signal, start, ["PROGRESS"]),
      ])
    : [];
  const known = {
    latest: [...latest.nodes],
    earlier: earlier.flatMap((events) => events.nodes),
    total: latest.totalCount,
    start,
    hasOlder,
  };
  return [known, latest];
}

/** The events of a job, streaming in; after an interruption, from where they broke off. */
export function useJobEvents({ task, process, index }: JobAddress): JobEvents {
  const [known, setKnown] = useState<Known>();
  const [error, setError] = useState<ApiError>();
  const connections = useStore(reconnects);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new connection fetches what was missed
  useEffect(() => {
    const control = new AbortController();
    const address = { task, process, index };
    let stop = () => {};
    let timer: ReturnType<typeof setTimeout> | undefined;
    const fetchAndWatch = async () => {
      const [known, latest] = await fetchKnown(address, control.signal);
      if (control.signal.aborted) return;
      setError(undefined);
      setKnown(known);
      // Of a job without events yet, those that come meanwhile are behind the beginning.
      const after = latest.pageInfo.endCursor ?? BEGINNING;
      stop = watchEvents({ ...address, after }, (events) =>
        setKnown((before) => before && extended(before, events)),
      );
    };
    const begin = () => {
      fetchAndWatch().catch((reason: unknown) => {
        if (control.signal.aborted) return;
        const told = asApiError(reason);
        setError(told);
        timer = setTimeout(begin, retryDelayMs(told));
      });
    };
    begin();
    return () => {
      control.abort();
      clearTimeout(timer);
      stop();
    };
  }, [task, process, index, connections]);

  const start = known?.start ?? null;
  const older = useCallback(() => {
    const address = { task, process, index };
    page(address, new AbortController().signal, start, null).then(
      (events) => setKnown((before) => before && prepended(before, events)),
      (reason: unknown) => setError(asApiError(reason)),
    );
  }, [task, process, index, start]);

  const mayGrow = known?.hasOlder && known.latest.length < KEPT;
  return {
    latest: known?.latest ?? [],
    earlier: known?.earlier ?? [],
    total: known?.total ?? 0,
    older: mayGrow ? older : null,
    error,
  };
}

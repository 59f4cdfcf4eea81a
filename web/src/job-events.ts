import { useCallback, useEffect, useState } from "react";
import { ApiError, execute } from "./api";
import { type EventClass, JobEventsDocument } from "./generated/operations";
import type { JobEvent } from "./life";
import { reconnects, watchEvents } from "./live";
import { useStore } from "./store";

const PAGE = 100;
/** As many events are kept of a job, the latest; a page that is left open must not grow. */
const KEPT = 500;
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
  /** Where older events go on; null where there are none, or none more are kept. */
  older: (() => Promise<void>) | null;
  error: ApiError | undefined;
}

interface Known {
  latest: JobEvent[];
  earlier: JobEvent[];
  total: number;
  start: string | null;
  hasOlder: boolean;
}

async function page(
  address: JobAddress,
  signal: AbortSignal,
  before: string | null,
  eventClass: readonly EventClass[] | null,
) {
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
    const begin = async () => {
      const latest = await page(address, control.signal, null, null);
      const { startCursor, endCursor, hasPreviousPage } = latest.pageInfo;
      const earlier = hasPreviousPage
        ? await Promise.all([
            page(address, control.signal, startCursor, MILESTONES),
            page(address, control.signal, startCursor, ["PROGRESS"]),
          ])
        : [];
      setError(undefined);
      setKnown({
        latest: [...latest.nodes],
        earlier: earlier.flatMap((events) => events.nodes),
        total: latest.totalCount,
        start: startCursor,
        hasOlder: hasPreviousPage,
      });
      if (control.signal.aborted) return;
      stop = watchEvents({ ...address, after: endCursor }, (events) =>
        setKnown((before) => before && extended(before, events)),
      );
    };
    begin().catch((reason: unknown) => {
      if (control.signal.aborted) return;
      setError(reason instanceof ApiError ? reason : new ApiError(String(reason), false));
    });
    return () => {
      control.abort();
      stop();
    };
  }, [task, process, index, connections]);

  const start = known?.start ?? null;
  const older = useCallback(async () => {
    const address = { task, process, index };
    const events = await page(address, new AbortController().signal, start, null);
    setKnown((before) =>
      before === undefined
        ? before
        : {
            ...before,
            latest: [...events.nodes, ...before.latest],
            start: events.pageInfo.startCursor,
            hasOlder: events.pageInfo.hasPreviousPage,
          },
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

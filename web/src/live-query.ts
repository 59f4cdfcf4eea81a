import { QueryClient, type QueryFilters, useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useRef } from "react";
import { type ApiError, asApiError, execute, retryDelayMs } from "./api";
import { reconnectCount } from "./connection";
import type { TypedDocumentString } from "./generated/operations";
import { subscribe, watchTasks } from "./subscriptions";
import { throttle } from "./throttle";

/** Shortest time between two requests for the same data, unless another one is given. */
const MIN_INTERVAL_MS = 1000;
/** Time between requests without a change: liveness and estimates depend on the clock. */
const POLL_INTERVAL_MS = 20_000;

const client = new QueryClient({
  defaultOptions: {
    queries: {
      // A local server responds even if the browser is offline.
      networkMode: "always",
      retry: true,
      retryDelay: (_failures, error) => retryDelayMs(asApiError(error)),
    },
  },
});

/** Requests the data now. Replaces requests that are in progress or wait for a retry. */
async function restart(filters: QueryFilters): Promise<void> {
  await client.cancelQueries(filters);
  await client.refetchQueries({ ...filters, type: "active" });
}

// Changes during the interruption were not announced.
reconnectCount.subscribe(() => void restart({}));

/** When data is requested again. */
interface Pace {
  /** Shortest time between two requests, however often the data changes. */
  minIntervalMs?: number;
  /** Whether it is requested at all. */
  enabled?: boolean;
  /** Whether it is requested every 20 seconds while the page is hidden, too. */
  inBackground?: boolean;
  /** Whether the data of other variables stands in until that of new ones is there. */
  keepsPrevious?: boolean;
}

/** Data from the server that is kept up to date. */
export interface LiveResult<T> {
  /** The latest data; kept while requests fail. Undefined until the first response. */
  data: T | undefined;
  /** Whether the data is that of earlier variables; see `keepsPrevious`. */
  isPrevious: boolean;
  /** Why the latest request failed; undefined after a success. */
  error: ApiError | undefined;
  /** Requests the data now. */
  refresh: () => void;
}

/** Data that is fetched again when told that it has changed. */
export interface FetchedResult<T> extends LiveResult<T> {
  /** Tells that the data has changed. It is fetched again at the pace of the data. */
  changed: () => void;
}

/** The result of `fetchData`, which is fetched again every 20 seconds, and when it has changed. */
function useFetched<T>(
  queryKey: readonly unknown[],
  fetchData: (signal: AbortSignal) => Promise<T>,
  pace: Pace,
): FetchedResult<T> {
  const { minIntervalMs = MIN_INTERVAL_MS, enabled = true } = pace;
  const latest = useRef({ startedAt: 0, durationMs: 0 });
  const { data, failureReason, isPlaceholderData } = useQuery(
    {
      queryKey,
      enabled,
      placeholderData: (previous) => (pace.keepsPrevious ? previous : undefined),
      queryFn: async ({ signal }) => {
        const startedAt = Date.now();
        latest.current.startedAt = startedAt;
        try {
          return await fetchData(signal);
        } finally {
          latest.current.durationMs = Date.now() - startedAt;
        }
      },
      refetchIntervalInBackground: pace.inBackground ?? false,
      // Data that was pushed is not requested, either, before this time has passed.
      refetchInterval: () =>
        Math.max(POLL_INTERVAL_MS, minIntervalMs, 3 * latest.current.durationMs),
    },
    client,
  );

  const keyText = JSON.stringify(queryKey);
  const refetching = useRef(() => {});
  useEffect(() => {
    const filters = exactly(keyText);
    const refetch = async () => {
      if (document.hidden) return;
      const query = client.getQueryCache().find(filters);
      // A response to an earlier request may lack the change: wait for it, then ask again. A
      // request that waits for its retry is replaced instead.
      if (query?.state.fetchFailureReason === null) await query.promise?.catch(() => undefined);
      void client.refetchQueries({ ...filters, type: "active" });
    };
    const { call, cancel } = throttle(refetch, () => {
      const { startedAt, durationMs } = latest.current;
      return startedAt + Math.max(minIntervalMs, 3 * durationMs) - Date.now();
    });
    refetching.current = call;
    return cancel;
  }, [keyText, minIntervalMs]);

  const refresh = useCallback(() => void restart(exactly(keyText)), [keyText]);
  const changed = useCallback(() => refetching.current(), []);
  const error = failureReason ? asApiError(failureReason) : undefined;
  // Where the new data cannot be had, that of others does not hide why.
  // The library's types know no placeholder of a generic type.
  const shown = (isPlaceholderData && error ? undefined : data) as T | undefined;
  const isPrevious = isPlaceholderData && shown !== undefined;
  return { data: shown, isPrevious, error, refresh, changed };
}

function exactly(keyText: string) {
  return { queryKey: JSON.parse(keyText) as unknown[], exact: true };
}

/** The data of an operation, which is fetched again when told that it has changed. */
export function useFetchedQuery<T, V>(
  document: TypedDocumentString<T, V>,
  variables: V,
  pace: Pace = {},
): FetchedResult<T> {
  const fetchData = (signal: AbortSignal) => execute(document, variables, signal);
  return useFetched([document.toString(), variables], fetchData, pace);
}

/**
 * The data of an operation, kept up to date.
 *
 * It is fetched again when one of the tasks changes (any task, for null), at its pace; after a
 * reconnect; and every 20 seconds. Data that takes long to answer is requested less often. Hidden
 * pages wait until they are shown. Failed requests are retried.
 */
export function useLiveQuery<T, V>(
  document: TypedDocumentString<T, V>,
  variables: V,
  taskNames: readonly string[] | null,
  pace: Pace = {},
): LiveResult<T> {
  const { changed, ...result } = useFetchedQuery(document, variables, pace);
  const { enabled = true } = pace;
  const keyText = JSON.stringify([document.toString(), variables]);
  const namesText = JSON.stringify(taskNames);
  // biome-ignore lint/correctness/useExhaustiveDependencies: other data is watched anew
  useEffect(() => {
    if (!enabled) return;
    return watchTasks(JSON.parse(namesText) as string[] | null, changed);
  }, [keyText, namesText, changed, enabled]);
  return result;
}

/** A subscription to a task that brings what a query answers. */
export interface Pushed<T, S, W> {
  document: TypedDocumentString<S, W>;
  variables: W;
  /** The data of the query that a snapshot stands for; the same function each time. */
  dataOf: (snapshot: S) => T;
}

/**
 * The data of a query that a subscription keeps up to date: it is requested once, and then pushed
 * when it changes. It is requested again when the task was deleted, after a reconnect, and where
 * nothing was pushed for 20 seconds, as liveness and estimates depend on the clock.
 */
export function usePushedQuery<T, V, S, W extends Record<string, unknown>>(
  query: TypedDocumentString<T, V>,
  variables: V,
  pushed: Pushed<T, S, W>,
  pace: Pace = {},
): LiveResult<T> {
  const { changed: _, ...result } = useFetchedQuery(query, variables, pace);
  const keyText = JSON.stringify([query.toString(), variables]);
  const variablesText = JSON.stringify(pushed.variables);
  const { document: subscription, dataOf } = pushed;
  // The subscription begins with the present state, so nothing is missed.
  const isLoaded = result.data !== undefined && !result.isPrevious;
  useEffect(() => {
    if (!isLoaded) return;
    const filters = exactly(keyText);
    const given = JSON.parse(variablesText) as W;
    return subscribe(subscription, () => given, {
      next: (snapshot) => {
        // The answer to a request that is in progress may be older.
        void client.cancelQueries(filters);
        client.setQueryData(filters.queryKey, dataOf(snapshot));
      },
      ended: () => void restart(filters),
    });
  }, [isLoaded, keyText, variablesText, subscription, dataOf]);
  return result;
}

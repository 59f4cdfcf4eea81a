import { QueryClient, type QueryFilters, useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useRef } from "react";
import { type ApiError, asApiError, execute, retryDelayMs } from "./api";
import type { TypedDocumentString } from "./generated/operations";
import { reconnectCount, watchTasks } from "./subscriptions";
import { throttle } from "./throttle";

/** Shortest time between two requests for the same data, however often it changes. */
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

/** Data from the server that is kept up to date. */
export interface LiveResult<T> {
  /** The latest data; kept while requests fail. Undefined until the first response. */
  data: T | undefined;
  /** Why the latest request failed; undefined after a success. */
  error: ApiError | undefined;
  /** Requests the data now. */
  refresh: () => void;
}

/** The data of an operation, kept up to date; see {@link useLiveFetch}. */
export function useLiveQuery<T, V>(
  document: TypedDocumentString<T, V>,
  variables: V,
  taskNames: readonly string[] | null,
): LiveResult<T> {
  const fetchData = (signal: AbortSignal) => execute(document, variables, signal);
  return useLiveFetch([document.toString(), variables], fetchData, taskNames);
}

/**
 * The result of `fetchData`, kept up to date. Equal keys must stand for equal data.
 *
 * It is fetched again when one of the tasks changes (any task, for null), at most once in
 * `minIntervalMs`; after a reconnect; and every 20 seconds. Data that takes long to answer is
 * requested less often. Hidden pages wait until they are shown. Failed requests are retried.
 */
export function useLiveFetch<T>(
  queryKey: readonly unknown[],
  fetchData: (signal: AbortSignal) => Promise<T>,
  taskNames: readonly string[] | null,
  minIntervalMs = MIN_INTERVAL_MS,
): LiveResult<T> {
  const latest = useRef({ startedAt: 0, durationMs: 0 });
  const { data, failureReason } = useQuery(
    {
      queryKey,
      queryFn: async ({ signal }) => {
        const startedAt = Date.now();
        latest.current.startedAt = startedAt;
        try {
          return await fetchData(signal);
        } finally {
          latest.current.durationMs = Date.now() - startedAt;
        }
      },
      refetchInterval: () => Math.max(POLL_INTERVAL_MS, 3 * latest.current.durationMs),
    },
    client,
  );

  const keyText = JSON.stringify(queryKey);
  const namesText = JSON.stringify(taskNames);
  useEffect(() => {
    const filters = { queryKey: JSON.parse(keyText) as unknown[], exact: true };
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
    const unwatch = watchTasks(JSON.parse(namesText) as string[] | null, call);
    return () => {
      unwatch();
      cancel();
    };
  }, [keyText, namesText, minIntervalMs]);

  const refresh = useCallback(() => {
    void restart({ queryKey: JSON.parse(keyText) as unknown[], exact: true });
  }, [keyText]);
  return { data, error: failureReason ? asApiError(failureReason) : undefined, refresh };
}

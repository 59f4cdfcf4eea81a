import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { type ApiError, asApiError, execute, pauseAfter, reachable } from "./api";
import type { TypedDocumentString } from "./generated/operations";
import { reconnects, watchTasks } from "./live";
import { useStore } from "./store";

/** Between two refreshes, however often the server tells of changes; in ms. */
const PACE = 1000;
/** Between refreshes without news: liveness and estimates change by the mere passing of time. */
const REFRESH = 20_000;
const KEPT = 40;

/** What was fetched last, so that going back shows at once what was there; the oldest goes. */
const cache = new Map<string, unknown>();

function remember(key: string, data: unknown): void {
  cache.delete(key);
  cache.set(key, data);
  const oldest = cache.keys().next();
  if (cache.size > KEPT && !oldest.done) cache.delete(oldest.value);
}

/** What is known of a query. */
export interface Live<T> {
  /** The latest answer; kept while the server is away. */
  data: T | undefined;
  /** Why there is no newer answer. */
  error: ApiError | undefined;
  /** Asks again now. */
  refresh: () => void;
}

/** The answer to a query, kept up to date: see {@link useAnswer}. */
export function useLive<T, V>(
  document: TypedDocumentString<T, V>,
  variables: V,
  names: readonly string[] | null,
): Live<T> {
  const key = `${document.toString()}\n${JSON.stringify(variables)}`;
  return useAnswer(key, (signal) => execute(document, variables, signal), names);
}

/**
 * What a question is answered, kept up to date; equal keys must stand for equal questions.
 *
 * It is asked again when one of the tasks in `names` changes (any task, for null), at most once
 * in `pace` ms; after an interruption; and every 20 seconds. Hidden pages wait until they are seen.
 */
export function useAnswer<T>(
  key: string,
  question: (signal: AbortSignal) => Promise<T>,
  names: readonly string[] | null,
  pace = PACE,
): Live<T> {
  const [state, setState] = useState<{ key: string; data?: T; error?: ApiError }>({ key });
  const connections = useStore(reconnects);
  const ask = useRef<() => void>(() => {});
  const watched = names?.join("\n");

  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for the question
  useEffect(() => {
    const control = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let asking = false;
    let again = false;
    let last = 0;
    let took = 0;

    const fetchNow = async () => {
      if (asking) {
        again = true;
        return;
      }
      asking = true;
      again = false;
      last = Date.now();
      let pause = REFRESH;
      try {
        const data = await question(control.signal);
        remember(key, data);
        setState({ key, data });
      } catch (error) {
        if (control.signal.aborted) return;
        const reason = asApiError(error);
        setState((known) =>
          known.key === key ? { ...known, error: reason } : { key, error: reason },
        );
        pause = pauseAfter(reason);
      } finally {
        took = Date.now() - last;
        asking = false;
      }
      schedule(again ? pace : pause);
    };
    const schedule = (pause: number) => {
      if (control.signal.aborted) return;
      clearTimeout(timer);
      // What is costly to answer is asked for less often.
      const wait = Math.max(0, last + Math.max(pause, 3 * took) - Date.now());
      timer = setTimeout(() => {
        // Seen again, the page asks at once: see below.
        if (!document.hidden) void fetchNow();
      }, wait);
    };
    const onVisible = () => {
      if (!document.hidden) schedule(pace);
    };
    ask.current = () => void fetchNow();
    document.addEventListener("visibilitychange", onVisible);
    const unwatch = watchTasks(watched?.split("\n") ?? null, () => {
      if (asking) again = true;
      else schedule(pace);
    });
    void fetchNow();
    return () => {
      control.abort();
      clearTimeout(timer);
      unwatch();
      document.removeEventListener("visibilitychange", onVisible);
    };
  }, [key, watched, pace, connections]);

  const current = state.key === key ? state : undefined;
  const refresh = useCallback(() => ask.current(), []);
  const data = current?.data ?? (cache.get(key) as T | undefined);
  return useMemo(() => ({ data, error: current?.error, refresh }), [data, current, refresh]);
}

/** Whether the server answers requests. */
export function useReachable(): boolean {
  return useStore(reachable);
}

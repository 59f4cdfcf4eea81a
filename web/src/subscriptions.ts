import { client } from "./connection";
import { TaskChangedDocument, type TypedDocumentString } from "./generated/operations";

/** Delay before a subscription that ended is started again. */
const RESUBSCRIBE_DELAY_MS = 2000;
/** The same for a task that does not exist: it may be created later. */
const NOT_FOUND_DELAY_MS = 20_000;

/** Who is told what a subscription brings. */
export interface SubscriptionListener<T> {
  /** A result has come. */
  next: (data: T) => void;
  /** The task was deleted, or replaced by another one of the same name. */
  ended: () => void;
}

/**
 * Subscribes, and returns a function that ends this. A subscription that ends is started again, with
 * the `variables` as they are then: others of the same names may follow deleted tasks.
 *
 * Hidden pages are not subscribed to anything. Where subscriptions are event streams, browsers open
 * six connections to a server at once, for all tabs together.
 */
export function subscribe<T, V extends Record<string, unknown>>(
  operation: TypedDocumentString<T, V>,
  variables: () => V,
  { next, ended }: SubscriptionListener<T>,
): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stop = () => {};
  const start = () => {
    let isCurrent = true;
    const restartIn = (delayMs: number) => {
      if (isCurrent) timer = setTimeout(start, delayMs);
    };
    const end = client.get().subscribe<T>(
      { query: operation.toString(), variables: variables() },
      {
        next: ({ data, errors }) => {
          if (isCurrent && data && !errors) next(data);
        },
        complete: () => {
          if (isCurrent) ended();
          restartIn(RESUBSCRIBE_DELAY_MS);
        },
        error: (reason) => {
          if (isCurrent && hasCode(reason, "CURSOR_INVALID")) ended();
          const isNotFound = hasCode(reason, "TASK_NOT_FOUND");
          restartIn(isNotFound ? NOT_FOUND_DELAY_MS : RESUBSCRIBE_DELAY_MS);
        },
      },
    );
    stop = () => {
      isCurrent = false;
      clearTimeout(timer);
      end();
      stop = () => {};
    };
  };
  const restart = () => {
    stop();
    if (!document.hidden) start();
  };
  restart();
  document.addEventListener("visibilitychange", restart);
  // The transport may change.
  const unlisten = client.subscribe(restart);
  return () => {
    document.removeEventListener("visibilitychange", restart);
    unlisten();
    stop();
  };
}

/** Whether one of the errors that ended a subscription has this code. */
function hasCode(reason: unknown, code: string): boolean {
  return (
    Array.isArray(reason) &&
    reason.some((error: { extensions?: { code?: string } }) => error.extensions?.code === code)
  );
}

interface SharedSubscription {
  listeners: Set<() => void>;
  end: () => void;
}

const sharedSubscriptions = new Map<string, SharedSubscription>();

/**
 * Calls `changed` when one of these tasks changed (any task, for null) or all were deleted. Returns a
 * function that ends this. Equal names share one subscription.
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
    const end = subscribe(TaskChangedDocument, () => variables, { next: notify, ended: notify });
    shared = { listeners, end };
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

import type { Client, ExecutionResult, Sink, SubscribePayload } from "graphql-ws";

/** A proxy that collects an answer before it passes it on never opens the stream. */
const OPEN_TIMEOUT_MS = 10_000;
const RETRY_DELAY_MS = 3000;

interface StreamListener {
  /** A stream has opened. */
  opened: () => void;
  /** A stream was closed by somebody else, or could not be opened. */
  closed: (wasOpen: boolean) => void;
}

/**
 * Subscribes by server-sent events, each subscription with a request of its own. A stream that was
 * lost is opened again.
 */
export function createEventStreams(
  url: string,
  listener: StreamListener,
): Pick<Client, "subscribe"> {
  function subscribe(payload: SubscribePayload, sink: Sink<ExecutionResult>): () => void {
    const { query, variables } = payload;
    const search = new URLSearchParams({ query, variables: JSON.stringify(variables ?? {}) });
    let source: EventSource | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;

    const close = () => {
      clearTimeout(timer);
      source?.close();
      source = undefined;
    };
    const open = () => {
      let isOpen = false;
      const lose = () => {
        close();
        listener.closed(isOpen);
        // Random, so that not all pages reconnect at once.
        timer = setTimeout(open, isOpen ? 0 : RETRY_DELAY_MS * (0.7 + 0.6 * Math.random()));
      };
      timer = setTimeout(lose, OPEN_TIMEOUT_MS);
      source = new EventSource(`${url}?${search}`);
      source.onopen = () => {
        clearTimeout(timer);
        isOpen = true;
        listener.opened();
      };
      source.onerror = lose;
      source.addEventListener("next", ({ data }) => {
        const result = JSON.parse(data) as ExecutionResult;
        if (result.data) {
          sink.next(result);
        } else if (result.errors?.some(({ extensions }) => extensions?.code === "STOPPING")) {
          // Another server takes over.
          lose();
        } else {
          close();
          sink.error(result.errors);
        }
      });
      source.addEventListener("complete", () => {
        close();
        sink.complete();
      });
    };
    open();
    return close;
  }
  return { subscribe: subscribe as Client["subscribe"] };
}

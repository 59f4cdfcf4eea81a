import { createClient } from "graphql-ws";

/** An error that the server explains. Its code is one of docs/errors.md. */
export class LamiaError extends Error {
  constructor({ message, extensions }) {
    super(message);
    this.code = extensions?.code;
  }
}

/** Codes after which the same request may be sent again. */
const TEMPORARY = ["BUSY", "STORAGE_FAILED", "STOPPING", "TOO_MANY_SUBSCRIPTIONS", "TOO_SLOW"];
const RETRY_MS = 1000;
const PING_MS = 10_000;
const PONG_MS = 5000;

/** A client of the server at an address such as http://127.0.0.1:8088. */
export function connect(address) {
  const endpoint = `${address}/graphql`;
  let overdue;
  const socket = createClient({
    url: endpoint.replace(/^http/, "ws"),
    // The client's own retries would repeat a subscription with its first cursor.
    retryAttempts: 0,
    keepAlive: PING_MS,
    on: {
      ping: (received) => {
        // A connection that was cut without a close looks open: only the missing pong shows it.
        if (!received) overdue = setTimeout(() => socket.terminate(), PONG_MS);
      },
      pong: (received) => {
        if (received) clearTimeout(overdue);
      },
    },
  });

  /** The data of a query or mutation. Throws LamiaError, or TypeError without an answer. */
  async function request(query, variables) {
    const response = await fetch(endpoint, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = await response.json();
    if (errors) throw new LamiaError(errors[0]);
    return data;
  }

  /** All entries of a connection, page by page; `select` finds it in the data. */
  async function* pages(query, variables, select) {
    for (let after = null; ; ) {
      const { nodes, pageInfo } = select(await request(query, { ...variables, after }));
      yield* nodes;
      if (!pageInfo.hasNextPage) return;
      after = pageInfo.endCursor;
    }
  }

  /**
   * The results of a subscription, until the server completes it. After an interruption it goes on with
   * `resume(variables)`, the variables for what has not been received yet. Throws LamiaError.
   */
  async function* subscribe(query, resume) {
    for (;;) {
      try {
        for await (const { data } of socket.iterate({ query, variables: resume() })) yield data;
        return;
      } catch (reason) {
        // Errors of the subscription are a list; anything else is the end of the connection.
        const error = Array.isArray(reason) && new LamiaError(reason[0]);
        if (error && !TEMPORARY.includes(error.code)) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  return { request, pages, subscribe };
}

import { createGraphiQLFetcher, type Fetcher } from "@graphiql/toolkit";
import { getOperationAST, parse } from "graphql";
import { createClient } from "graphql-sse";
import { COMMITTED, GRAPHQL_URL } from "../api";
import { Store } from "../store";

/** The protocol of subscriptions. */
export type Transport = "WebSocket" | "SSE";

/** The selected protocol. */
export const transport = new Store<Transport>("WebSocket");

const overHttpAndWebSocket = createGraphiQLFetcher({
  url: GRAPHQL_URL,
  subscriptionUrl: GRAPHQL_URL.replace(/^http/, "ws"),
  headers: COMMITTED,
});

/** Sends queries and mutations by POST, and subscriptions by the selected protocol. */
export const fetcher: Fetcher = ({ query, operationName, variables }, options) => {
  const document = parse(query);
  const named = getOperationAST(document, operationName);
  // Shortly after a tab change, GraphiQL still passes the operation name of the previous tab.
  const operation = named ?? getOperationAST(document);
  const name = named ? operationName : operation?.name?.value;
  const params = { query, variables, ...(name ? { operationName: name } : {}) };
  if (transport.get() === "WebSocket" || operation?.operation !== "subscription") {
    return overHttpAndWebSocket(params, { ...options, documentAST: document });
  }
  const headers = (options?.headers ?? {}) as Record<string, string>;
  const client = createClient({ url: GRAPHQL_URL, headers, retryAttempts: 0 });
  return client.iterate(params) as ReturnType<Fetcher>;
};

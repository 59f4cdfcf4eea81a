// urql on the server at the address in the first argument.
import { Client, cacheExchange, fetchExchange, subscriptionExchange } from "@urql/core";
import { persistedExchange } from "@urql/exchange-persisted";
import { createClient } from "graphql-ws";
import WebSocket from "ws";

const [url] = process.argv.slice(2);
const requests = [];
const socket = createClient({ url: url.replace("http", "ws"), webSocketImpl: WebSocket });
const client = new Client({
  url,
  preferGetMethod: false,
  fetch: (address, options) => {
    const isGet = options.method === "GET";
    const document = isGet
      ? new URL(address).searchParams.has("query")
      : "query" in JSON.parse(options.body);
    requests.push({ method: options.method, document });
    return fetch(address, options);
  },
  exchanges: [
    cacheExchange,
    persistedExchange({ preferGetForPersistedQueries: true }),
    fetchExchange,
    subscriptionExchange({
      forwardSubscription: ({ query, variables }) => ({
        subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, variables }, sink) }),
      }),
    }),
  ],
});

function data({ data, error }) {
  if (error) throw error;
  return data;
}

const told = {};
told.query = data(await client.query('{ task(name: "t") { id name state } }', {}));
told.requests = [...requests];
const input = { task: "t", process: "a", index: 1, eventClass: "STARTED" };
told.mutation = data(
  await client.mutation(
    `mutation($input: SubmitEventInput!) { submitEvent(input: $input) {
      event { id uuid } process { id state } userErrors { code } } }`,
    { input },
  ),
);
const events = 'subscription { events(task: "t", after: "") { node { id eventClass } } }';
told.subscription = await new Promise((resolve, reject) => {
  const subscription = client.subscription(events, {}).subscribe((result) => {
    if (result.error) return reject(result.error);
    resolve(result.data.events.node.eventClass);
    queueMicrotask(() => subscription.unsubscribe());
  });
});
await socket.dispose();
console.log(JSON.stringify(told));
process.exit();

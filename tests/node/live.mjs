// Tells what the JavaScript clients graphql-ws and graphql-sse see of a server: a query, a
// mutation, a subscription, an operation that is refused, and the close codes of WebSockets.
import { createClient as createSSE } from "graphql-sse";
import { createClient as createWS } from "graphql-ws";
import WebSocket from "ws";

const [url] = process.argv.slice(2);
const QUERY = '{ task(name: "t") { state } }';
const SUBMIT = `mutation { submitEvent(input: {task: "t", process: "p", eventClass: BEAT}) {
  process { state } } }`;
const EVENTS = `subscription { events(task: "t", after: "") {
  cursor node { eventClass } } }`;
const REFUSED = 'subscription { events(task: "nobody") { cursor } }';

async function all(client, query, most = Infinity) {
  const seen = [];
  for await (const result of client.iterate({ query })) {
    seen.push(result);
    if (seen.length >= most) break;
  }
  return seen;
}

async function story(client) {
  const told = {
    query: await all(client, QUERY),
    mutation: await all(client, SUBMIT),
    subscription: await all(client, EVENTS, 2),
  };
  try {
    told.refused = await all(client, REFUSED);
  } catch (errors) {
    told.refused = [{ errors }];
  }
  return told;
}

function closed(protocol, ...messages) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url.replace("http", "ws"), protocol);
    socket.on("open", () => messages.forEach((message) => socket.send(JSON.stringify(message))));
    socket.on("close", resolve);
    socket.on("error", reject);
  });
}

const ws = createWS({ url: url.replace("http", "ws"), webSocketImpl: WebSocket, retryAttempts: 0 });
const sse = createSSE({ url, retryAttempts: 0 });
const greet = { type: "connection_init" };
const follow = { type: "subscribe", id: "1", payload: { query: EVENTS } };
const protocol = "graphql-transport-ws";
const told = {
  ws: await story(ws),
  sse: await story(sse),
  codes: {
    unauthorized: await closed(protocol, follow),
    greeted: await closed(protocol, greet, greet),
    duplicate: await closed(protocol, greet, follow, follow),
    malformed: await closed(protocol, greet, { type: "nonsense" }),
  },
};
await ws.dispose();
console.log(JSON.stringify(told));
process.exit();

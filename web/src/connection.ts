import { type Client, createClient } from "graphql-ws";
import { answers, GRAPHQL_URL, reachable } from "./api";
import { createEventStreams } from "./event-streams";
import { signedOut } from "./session";
import { Store, useStore } from "./store";

const PING_INTERVAL_MS = 10_000;
const PONG_TIMEOUT_MS = 5000;
const CONNECT_TIMEOUT_MS = 10_000;
const MIN_RECONNECT_DELAY_MS = 300;
const MAX_RECONNECT_DELAY_MS = 3000;
/** Close codes of connections that nobody refused: the browser's own, and that of a timeout. */
const UNEXPLAINED_CODES: unknown[] = [1006, 4499];

/** The close code by which the server asks for a credential. */
const FORBIDDEN_CODE = 4403;

/** The close code of a server that stops: another one, or the same again, takes over. */
const GOING_AWAY_CODE = 1001;

/** State of live updates. They are blocked if requests are answered, but nothing live gets through. */
export type ConnectionState = "connecting" | "live" | "disconnected" | "blocked";

const connection = new Store<ConnectionState>("connecting");

/** Number of reconnects. Data fetched before the latest one may be stale. */
export const reconnectCount = new Store(0);

/** The current state of live updates. */
export function useConnection(): ConnectionState {
  return useStore(connection);
}

let interrupted = false;

function opened() {
  if (interrupted) reconnectCount.set(reconnectCount.get() + 1);
  interrupted = false;
  // What is pushed now may replace the request that would have told it.
  reachable.set(true);
  connection.set("live");
}

let overdue: ReturnType<typeof setTimeout> | undefined;
let isConnected = false;
/** Whether a request was answered after a WebSocket had failed. */
let isAnswered = false;

let operations = 0;

const webSocket = createClient({
  url: GRAPHQL_URL.replace(/^http/, "ws"),
  lazy: false,
  // Not random: the server encodes what it pushes once for all who use the same id.
  generateID: () => String(++operations),
  onNonLazyError: () => connection.set("disconnected"),
  keepAlive: PING_INTERVAL_MS,
  retryAttempts: Number.POSITIVE_INFINITY,
  shouldRetry: () => true,
  retryWait: (retries) => {
    const delay = Math.min(MAX_RECONNECT_DELAY_MS, MIN_RECONNECT_DELAY_MS * 2 ** retries);
    // Random, so that not all pages reconnect at once.
    return new Promise((resolve) => setTimeout(resolve, delay * (0.7 + 0.6 * Math.random())));
  },
  on: {
    connecting: () => {
      overdue = setTimeout(() => webSocket.terminate(), CONNECT_TIMEOUT_MS);
    },
    connected: () => {
      clearTimeout(overdue);
      isConnected = true;
      isAnswered = false;
      if (client.get() === webSocket) opened();
    },
    closed: (event) => {
      clearTimeout(overdue);
      const { code } = event as { code?: number };
      const isUnexplained = UNEXPLAINED_CODES.includes(code);
      const failed = !isConnected && isUnexplained;
      isConnected = false;
      if (client.get() !== webSocket) return;
      interrupted = true;
      if (code === FORBIDDEN_CODE) signedOut.set(true);
      // Nothing is lost yet where a server goes away: the next attempt shows whether another is there.
      if (code === GOING_AWAY_CODE) return;
      // A page that was never live waits for the decision between the transports.
      if (!failed || connection.get() !== "connecting") connection.set("disconnected");
      if (failed) void fallBackIfBlocked();
    },
    ping: (received) => {
      // A connection that was cut without a close looks open: only the missing pong shows it.
      if (!received) overdue = setTimeout(() => webSocket.terminate(), PONG_TIMEOUT_MS);
    },
    pong: (received) => {
      if (received) clearTimeout(overdue);
    },
  },
});

/** The client of the transport in use; another one if WebSockets do not get through. */
export const client = new Store<Pick<Client, "subscribe">>(webSocket);

/** Changes to event streams if requests were answered before and after a WebSocket failed. */
async function fallBackIfBlocked(): Promise<void> {
  const wasAnswered = isAnswered;
  isAnswered = await answers();
  if (!wasAnswered || !isAnswered || isConnected || client.get() !== webSocket) return;
  client.set(
    createEventStreams(GRAPHQL_URL, {
      opened,
      closed: (wasOpen) => {
        interrupted = true;
        if (!wasOpen) void explain();
      },
    }),
  );
  // What it waits for is the attempt in progress, which fails like those before.
  webSocket.dispose()?.then(undefined, () => undefined);
}

/** Finds out whether the server is away, or only event streams do not reach it. */
async function explain(): Promise<void> {
  const state = (await answers()) ? "blocked" : "disconnected";
  // A stream may have opened meanwhile.
  if (interrupted) connection.set(state);
}

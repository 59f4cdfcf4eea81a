import { useState } from "react";
import { reachable } from "../api";
import { type ConnectionState, useConnection } from "../connection";
import { isKiosk } from "../kiosk";
import { Link, useRoute } from "../router";
import { useStore } from "../store";
import { type Theme, theme } from "../theme";
import { formatTime } from "../time-format";
import { Viewer } from "./viewer";

const NEXT_THEME: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };
const THEME_NAMES: Record<Theme, string> = {
  auto: "system",
  light: "light",
  dark: "dark",
};

function ThemeButton() {
  const current = useStore(theme);
  return (
    <button
      type="button"
      className="bare"
      aria-label={`Theme: ${THEME_NAMES[current]}. Switch to ${THEME_NAMES[NEXT_THEME[current]]}.`}
      title={`Theme: ${THEME_NAMES[current]}`}
      onClick={() => theme.set(NEXT_THEME[current])}
    >
      <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
        <circle cx="8" cy="8" r="6.2" className="line" />
        {current === "auto" && <path d="M8 1.8a6.2 6.2 0 0 1 0 12.4z" fill="currentColor" />}
        {current === "dark" && <circle cx="8" cy="8" r="6" fill="currentColor" />}
      </svg>
    </button>
  );
}

const CONNECTION_LABELS = {
  live: "Live",
  connecting: "Connecting",
  disconnected: "Reconnecting",
  blocked: "Delayed",
} as const;

/** Whether changes arrive. */
export function ConnectionStatus() {
  const state = useConnectionState();
  return (
    <span className={`connection is-${state}`} role="status">
      <span className="dot" />
      {CONNECTION_LABELS[state]}
    </span>
  );
}

/** The header of every page but a list on a wall, with the state of the connection. */
export function Header() {
  const route = useRoute();
  const isList = route.path.length === 0;
  if (isKiosk(route)) return null;
  return (
    <header className="head">
      <Link path={[]} className="brand">
        <svg viewBox="0 0 22 22" aria-hidden="true">
          <path d="M1 1h6v6H1zM8 1h6v6H8zM1 8h6v6H1z" className="tone-done" />
          <path d="M8 8h6v6H8z" className="tone-failed" />
          <path d="M15 1h6v6h-6zM15 8h6v6h-6zM1 15h6v6H1z" className="tone-running" />
          <path d="M8 15h6v6H8zM15 15h6v6h-6z" className="tone-pending" />
        </svg>
        lamia
      </Link>
      <nav aria-label="Main">
        <Link path={[]} aria-current={isList ? "page" : undefined}>
          Tasks
        </Link>
        <a href="graphiql">GraphiQL</a>
      </nav>
      <ConnectionStatus />
      <Viewer />
      <ThemeButton />
    </header>
  );
}

function useConnectionState(): ConnectionState {
  const connection = useConnection();
  return useStore(reachable) ? connection : "disconnected";
}

/** A warning while the server cannot be reached, or announces no changes. */
export function ConnectionBanner() {
  const state = useConnectionState();
  if (state === "disconnected") return <DisconnectedSince />;
  if (state !== "blocked") return null;
  return (
    <div className="banner" role="alert">
      Live updates do not get through. The server answers requests, but neither a WebSocket nor an
      event stream reaches it: probably a proxy in between does not pass them on. This page asks for
      changes every 20 seconds instead.
    </div>
  );
}

function DisconnectedSince() {
  const [since] = useState(() => Date.now());
  return (
    <div className="banner" role="alert">
      Connection lost at {formatTime(since)}. This page shows older data and updates when the server
      responds again.
    </div>
  );
}

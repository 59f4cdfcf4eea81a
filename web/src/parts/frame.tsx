import { useState } from "react";
import { reachable } from "../api";
import { useConnection } from "../live";

import { Link, usePlace } from "../router";
import { useStore } from "../store";
import { type Theme, theme } from "../theme";
import { clock } from "../time";

const NEXT: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };
const THEME_NAMES: Record<Theme, string> = {
  auto: "as the system",
  light: "light",
  dark: "dark",
};

function ThemeButton() {
  const current = useStore(theme);
  return (
    <button
      type="button"
      className="bare"
      aria-label={`Colours: ${THEME_NAMES[current]}. Change to ${THEME_NAMES[NEXT[current]]}.`}
      title={`Colours: ${THEME_NAMES[current]}`}
      onClick={() => theme.set(NEXT[current])}
    >
      <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
        <circle cx="8" cy="8" r="6.2" className="line" />
        {current === "auto" && <path d="M8 1.8a6.2 6.2 0 0 1 0 12.4z" fill="currentColor" />}
        {current === "dark" && <circle cx="8" cy="8" r="6" fill="currentColor" />}
      </svg>
    </button>
  );
}

const STATES = {
  live: "Live",
  connecting: "Connecting",
  away: "Reconnecting",
} as const;

/** The head of every page: where one is, and whether what one sees is live. */
export function Header() {
  const state = useConnectionState();
  const isList = usePlace().path.length === 0;
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
      <nav aria-label="Pages">
        <Link path={[]} aria-current={isList ? "page" : undefined}>
          Tasks
        </Link>
        <a href="graphiql">GraphiQL</a>
      </nav>
      <span className={`connection is-${state}`} role="status">
        <span className="dot" />
        {STATES[state]}
      </span>
      <ThemeButton />
    </header>
  );
}

function useConnectionState(): keyof typeof STATES {
  const connection = useConnection();
  return useStore(reachable) ? connection : "away";
}

/** Says that the server is away and that what is shown is of the past; goes by itself. */
export function Banner() {
  return useConnectionState() === "away" ? <Interruption /> : null;
}

function Interruption() {
  const [since] = useState(() => Date.now());
  return (
    <div className="banner" role="alert">
      The connection was interrupted at {clock(since)}, and what is shown is no newer. It goes on by
      itself as soon as the server answers.
    </div>
  );
}

import type { ReactNode } from "react";
import { ConnectionStatus } from "../components/header";
import { useNow } from "../components/time";
import { hrefWith, type Route } from "../route";
import { formatTime } from "../time-format";

/** The head of a list on a wall: its totals, the connection and the time of day. */
export function KioskHead({ route, children }: { route: Route; children: ReactNode }) {
  return (
    <div className="kiosk-head">
      <h1>Tasks</h1>
      {children}
      <a className="kiosk-end" href={`./${hrefWith(route, { kiosk: null })}`}>
        Leave
      </a>
      <ConnectionStatus />
      <Clock />
    </div>
  );
}

function Clock() {
  return <time className="clock">{formatTime(useNow(), false)}</time>;
}

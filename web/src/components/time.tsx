import { useEffect } from "react";
import { Store, useStore } from "../store";
import { formatDuration, formatFullTime, formatRelativeTime, formatTime } from "../time-format";

const now = new Store(Date.now());
let users = 0;
let timer: ReturnType<typeof setInterval> | undefined;

/** The current time in ms, updated every second. All components share one timer. */
export function useNow(): number {
  useEffect(() => {
    users += 1;
    timer ??= setInterval(() => {
      if (!document.hidden) now.set(Date.now());
    }, 1000);
    return () => {
      users -= 1;
      if (users === 0) {
        clearInterval(timer);
        timer = undefined;
      }
    };
  }, []);
  return useStore(now);
}

interface TimeProps {
  /** An ISO time. */
  at: string;
  /** Whether to show the time of day, without seconds for `minute`, or the distance from now. */
  as?: "absolute" | "minute" | "relative";
}

/** A time in the browser's time zone; the tooltip has it in full and in UTC. */
export function Time({ at, as = "absolute" }: TimeProps) {
  const ms = Date.parse(at);
  return (
    <time dateTime={at} title={formatFullTime(ms)}>
      {as === "relative" ? <RelativeTime at={ms} /> : formatTime(ms, as === "absolute")}
    </time>
  );
}

function RelativeTime({ at }: { at: number }) {
  return formatRelativeTime(at, useNow());
}

/** The time between two moments, or until now without an end. */
export function Duration({ from, to }: { from: string; to: string | null }) {
  const current = useNow();
  return formatDuration((to === null ? current : Date.parse(to)) - Date.parse(from));
}

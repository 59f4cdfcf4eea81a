import { useEffect } from "react";
import { Store, useStore } from "./store";

const now = new Store(Date.now());
let watchers = 0;
let timer: ReturnType<typeof setInterval> | undefined;

/** The time, in ms, anew every second while anybody looks. */
export function useNow(): number {
  useEffect(() => {
    watchers += 1;
    timer ??= setInterval(() => {
      if (!document.hidden) now.set(Date.now());
    }, 1000);
    return () => {
      watchers -= 1;
      if (watchers === 0) {
        clearInterval(timer);
        timer = undefined;
      }
    };
  }, []);
  return useStore(now);
}

const UNITS: [number, string][] = [
  [86_400, "d"],
  [3600, "h"],
  [60, "min"],
  [1, "s"],
];

/** A span in its two largest units, like `2 h 5 min`; below a second, `0 s`. */
export function span(ms: number): string {
  let seconds = Math.round(Math.max(0, ms) / 1000);
  const parts: string[] = [];
  for (const [size, unit] of UNITS) {
    const count = Math.floor(seconds / size);
    seconds -= count * size;
    if (count > 0) parts.push(`${count} ${unit}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join(" ") || "0 s";
}

/** The largest unit of a span, like `2 h`. */
export function roughSpan(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  const [size, unit] = UNITS.find(([size]) => seconds >= size) ?? [1, "s"];
  return `${Math.floor(seconds / size)} ${unit}`;
}

const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const SHORT_CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });

function sameDay(one: Date, other: Date): boolean {
  return one.toDateString() === other.toDateString();
}

/** A moment in the reader's zone: the time where it is today, else with the day. */
export function clock(at: number, seconds = true): string {
  const date = new Date(at);
  const time = (seconds ? CLOCK : SHORT_CLOCK).format(date);
  return sameDay(date, new Date()) ? time : `${DAY.format(date)} ${time}`;
}

/** What hovering over a time says: the whole of it here, and in UTC. */
export function fullTime(at: number): string {
  const utc = new Date(at)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/, " UTC");
  return `${FULL.format(at)}\n${utc}`;
}

interface TimeProps {
  /** An ISO time. */
  at: string;
  /** How it is shown: by the clock, or by how long it is from now. */
  as?: "clock" | "distance";
}

/** A moment in the reader's zone, with UTC on hover. */
export function Time({ at, as = "clock" }: TimeProps) {
  const moment = Date.parse(at);
  return (
    <time dateTime={at} title={fullTime(moment)}>
      {as === "clock" ? clock(moment) : <Distance at={moment} />}
    </time>
  );
}

function Distance({ at }: { at: number }) {
  const distance = useNow() - at;
  if (Math.abs(distance) < 2000) return "now";
  return distance > 0 ? `${roughSpan(distance)} ago` : `in ${roughSpan(-distance)}`;
}

/** How long something took, or takes until now where it has no end. */
export function Span({ from, to }: { from: string; to: string | null }) {
  const current = useNow();
  return span((to === null ? current : Date.parse(to)) - Date.parse(from));
}

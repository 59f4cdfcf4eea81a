const UNITS: [number, string][] = [
  [86_400, "d"],
  [3600, "h"],
  [60, "min"],
  [1, "s"],
];

/** A duration in its two largest units, like `2 h 5 min`; `< 1 s` below half a second. */
export function formatDuration(ms: number): string {
  let seconds = Math.round(Math.max(0, ms) / 1000);
  const parts: string[] = [];
  for (const [size, unit] of UNITS) {
    const count = Math.floor(seconds / size);
    seconds -= count * size;
    if (count > 0) parts.push(`${count} ${unit}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join(" ") || "< 1 s";
}

/** A duration in its largest unit, rounded down, like `2 h`. */
export function formatRoughDuration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  const [size, unit] = UNITS.find(([size]) => seconds >= size) ?? [1, "s"];
  return `${Math.floor(seconds / size)} ${unit}`;
}

/** A time relative to now, like `2 h ago` or `in 5 min`; `now` within two seconds. */
export function formatRelativeTime(at: number, now: number): string {
  const age = now - at;
  if (Math.abs(age) < 2000) return "now";
  return age > 0 ? `${formatRoughDuration(age)} ago` : `in ${formatRoughDuration(-age)}`;
}

const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const SHORT_TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const FULL_TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });

function isSameDay(one: Date, other: Date): boolean {
  return one.toDateString() === other.toDateString();
}

/** A time in the browser's time zone, with the day unless it is today. */
export function formatTime(at: number, withSeconds = true): string {
  const date = new Date(at);
  const time = (withSeconds ? TIME : SHORT_TIME).format(date);
  return isSameDay(date, new Date()) ? time : `${DAY.format(date)} ${time}`;
}

/** Date and time in full: in the browser's time zone, and in UTC on a second line. */
export function formatFullTime(at: number): string {
  const utc = new Date(at)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/, " UTC");
  return `${FULL_TIME.format(at)}\n${utc}`;
}

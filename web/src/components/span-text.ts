import type { Span } from "./span";

/** A time in UTC, like `20261124T140205Z`. */
const TIME = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

/**
 * A part of time for the address, to the second, like `20261124T140205Z-20261124T150000Z`: there, no
 * character of it is escaped.
 */
export function formatSpan({ from, to }: Span): string {
  return `${formatTime(from)}-${formatTime(to)}`;
}

function formatTime(at: number): string {
  const iso = new Date(Math.round(at / 1000) * 1000).toISOString();
  return iso.replace(/[-:]|\.\d+/g, "");
}

/** The part of time of a text like that of {@link formatSpan}; null for any other text. */
export function parseSpan(text: string): Span | null {
  const [from, to, ...rest] = text.split("-").map(parseTime);
  if (from === undefined || to === undefined || rest.length > 0) return null;
  return from < to ? { from, to } : null;
}

function parseTime(text: string): number {
  return TIME.test(text) ? Date.parse(text.replace(TIME, "$1-$2-$3T$4:$5:$6Z")) : Number.NaN;
}

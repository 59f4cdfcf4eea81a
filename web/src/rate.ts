import type { Point } from "./parts/plot";

/** How much of the history counts as lately. */
const RECENT = 0.25;

/** Jobs that ended per minute over the last quarter of a history; null where it has none. */
export function recentRate(points: readonly Point[]): number | null {
  const last = points.at(-1);
  const first = points[Math.floor((points.length - 1) * (1 - RECENT))];
  if (last === undefined || first === undefined) return null;
  const minutes = (Date.parse(last.at) - Date.parse(first.at)) / 60_000;
  if (minutes <= 0) return null;
  const ended = ({ counts }: Point) => counts.done + counts.failed + counts.terminated;
  return Math.max(0, ended(last) - ended(first)) / minutes;
}

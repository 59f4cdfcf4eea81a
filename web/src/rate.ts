import type { TimelinePoint } from "./components/plot";

/** Share of the timeline that the rate is taken from. */
const RECENT_SHARE = 0.25;

/** Jobs that ended per minute in the last quarter of a timeline; null if it is too short. */
export function recentRate(points: readonly TimelinePoint[]): number | null {
  const last = points.at(-1);
  const first = points[Math.floor((points.length - 1) * (1 - RECENT_SHARE))];
  if (last === undefined || first === undefined) return null;
  const minutes = (Date.parse(last.at) - Date.parse(first.at)) / 60_000;
  if (minutes <= 0) return null;
  const ended = ({ counts }: TimelinePoint) => counts.done + counts.failed + counts.terminated;
  return Math.max(0, ended(last) - ended(first)) / minutes;
}

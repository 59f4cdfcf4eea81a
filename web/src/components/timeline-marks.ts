import type { Span } from "./span";
import type { TimelinePoint } from "./timeline-point";

/** A stall takes so many times as long as what usually passes between two changes. */
const STALL_FACTOR = 5;
/** And this part of the whole timeline. */
const STALL_SHARE = 0.1;
/** And so long, as also for the server. */
const MIN_STALL_MS = 600_000;

/** Jobs that had ended and began again. */
export interface Restart {
  at: number;
  count: number;
}

function endedBy({ counts }: TimelinePoint): number {
  return counts.done + counts.failed + counts.terminated;
}

/** How many jobs of the previous point are no longer done, failed or terminated. */
function countRestarted(previous: TimelinePoint, { counts }: TimelinePoint): number {
  return (["done", "failed", "terminated"] as const)
    .map((state) => Math.max(0, previous.counts[state] - counts[state]))
    .reduce((sum, fewer) => sum + fewer);
}

/** When jobs that had ended began again. */
export function restartsOf(points: readonly TimelinePoint[]): Restart[] {
  return points.flatMap((point, place) => {
    const previous = points[place - 1];
    const count = previous ? countRestarted(previous, point) : 0;
    return count > 0 ? [{ at: Date.parse(point.at), count }] : [];
  });
}

/** How fast jobs ended in a part of the time, per minute. */
export interface Rate extends Span {
  perMinute: number;
}

/**
 * How fast jobs ended, between every second point: the server has samples at other times than those
 * of the points, so what ended between two neighbours is not exact.
 */
export function ratesOf(points: readonly TimelinePoint[]): Rate[] {
  const rates: Rate[] = [];
  for (let place = 0; place < points.length - 1; place += 2) {
    const part = points.slice(place, place + 3);
    const [first, last] = [part[0], part.at(-1)];
    if (first === undefined || last === undefined) break;
    const [from, to] = [Date.parse(first.at), Date.parse(last.at)];
    const again = restartsOf(part).reduce((sum, { count }) => sum + count, 0);
    const ended = endedBy(last) - endedBy(first) + again;
    if (to > from) rates.push({ from, to, perMinute: (60_000 * Math.max(0, ended)) / (to - from) });
  }
  return rates;
}

/**
 * When nothing ended or progressed although jobs ran, for much longer than usual. The time before
 * the first end is none of them, nor the time after the last: the server tells whether the work
 * is stalled now.
 */
export function stallsOf(points: readonly TimelinePoint[]): Span[] {
  const changes: number[] = [];
  const idle = new Set<number>();
  points.forEach((point, place) => {
    const previous = points[place - 1];
    if (previous === undefined) return;
    const changed = endedBy(point) !== endedBy(previous) || point.ratio !== previous.ratio;
    if (changed) changes.push(place);
    else if (previous.counts.running === 0) idle.add(place);
  });
  const gaps = changes
    .slice(1)
    .map((place, position) => place - (changes[position] ?? 0))
    .sort((one, other) => one - other);
  const usual = gaps[Math.floor(gaps.length / 2)] ?? 0;
  const least = Math.max(STALL_FACTOR * usual, STALL_SHARE * points.length);
  const timeOf = (place: number) => Date.parse(points[place]?.at ?? "");
  return changes.slice(1).flatMap((place, position) => {
    const before = changes[position] ?? 0;
    if (place - before < least) return [];
    for (let between = before + 1; between < place; between += 1) if (idle.has(between)) return [];
    // What changed at a point did so since the previous one.
    const stall = { from: timeOf(before), to: timeOf(place - 1) };
    return stall.to - stall.from < MIN_STALL_MS ? [] : [stall];
  });
}

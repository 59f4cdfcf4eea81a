const STEPS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200,
];
const DAY = 86_400;

/** Round times between two times, at most `most`; in ms. */
export function timeTicks(from: number, to: number, most: number): number[] {
  const seconds = (to - from) / 1000;
  const step =
    STEPS.find((step) => seconds / step <= most) ?? Math.ceil(seconds / most / DAY) * DAY;
  const size = step * 1000;
  // Round in the browser's time zone, not in UTC.
  const shift = new Date(from).getTimezoneOffset() * 60_000;
  const ticks: number[] = [];
  for (let at = Math.ceil((from - shift) / size) * size + shift; at <= to; at += size)
    ticks.push(at);
  return ticks;
}

/** A linear map from one range of numbers to another. */
export function scale(
  [from, to]: readonly [number, number],
  [start, end]: readonly [number, number],
): (value: number) => number {
  const span = to - from || 1;
  return (value) => start + ((value - from) / span) * (end - start);
}

/** A part of a histogram of durations: how many jobs took longer than `begin`, up to `end`, in seconds. */
export interface DurationBin {
  begin: number;
  end: number;
  count: number;
}

/** A place on the axis of a histogram, as a part of its width. */
export interface Tick {
  seconds: number;
  share: number;
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Durations that are easy to read, in seconds. */
const ROUND = [
  ...[1, 2, 5, 10, 20, 30],
  ...[1, 2, 5, 10, 20, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR),
  ...[1, 2, 5, 10, 20, 50, 100, 200, 365].map((days) => days * DAY),
];

/**
 * Where a duration is in a histogram whose bins are drawn equally wide: from 0, its begin, to 1, its
 * end. What lies outside is at the nearer one.
 */
export function shareAt(bins: readonly DurationBin[], seconds: number): number {
  const place = bins.findIndex(({ end }) => seconds <= end);
  const bin = bins[place];
  if (bin === undefined) return 1;
  const inside = (seconds - bin.begin) / (bin.end - bin.begin);
  return (place + Math.max(0, inside)) / bins.length;
}

/** Round durations for the axis of a histogram, at least `gap` of its width apart; else its ends. */
export function durationTicks(bins: readonly DurationBin[], gap: number): Tick[] {
  const [first, last] = [bins[0], bins.at(-1)];
  if (first === undefined || last === undefined) return [];
  const ticks: Tick[] = [];
  for (const seconds of ROUND) {
    if (seconds < first.begin || seconds > last.end) continue;
    const share = shareAt(bins, seconds);
    if (share >= (ticks.at(-1)?.share ?? -gap) + gap) ticks.push({ seconds, share });
  }
  if (ticks.length > 1) return ticks;
  return [
    { seconds: first.begin, share: 0 },
    { seconds: last.end, share: 1 },
  ];
}

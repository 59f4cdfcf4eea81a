import type { JobState } from "../generated/operations";
import { JOB_STATES } from "../states";
import { scale } from "./axis";
import { countOf } from "./bar";
import type { Span } from "./span";
import type { Rate } from "./timeline-marks";
import type { TimelinePoint } from "./timeline-point";

/** Where the parts of a plot are, in CSS pixels from its top. */
export const PLOT = {
  top: 22,
  areasEnd: 180,
  ratesTop: 194,
  ratesEnd: 236,
  height: 260,
  left: 40,
  right: 44,
};

/** The paths of a plot, and where times and shares are. */
export interface PlotLayout {
  areas: { state: JobState; path: string }[];
  /** The progress. */
  line: string;
  /** Jobs that ended per time, as a stepped area. */
  rates: string;
  /** The largest rate that is shown, in jobs per minute. */
  highestRate: number;
  x: (at: number) => number;
  y: (share: number) => number;
}

/** The time at a place of a plot, for what it shows. */
export function timeAt(place: number, shown: Span, width: number): number {
  return scale([PLOT.left, width - PLOT.right], [shown.from, shown.to])(place);
}

/** The layout of points and rates in a plot of some width that shows a part of time. */
export function layOut(
  points: readonly TimelinePoint[],
  rates: readonly Rate[],
  shown: Span,
  width: number,
): PlotLayout {
  const times = points.map((point) => Date.parse(point.at));
  const x = scale([shown.from, shown.to], [PLOT.left, width - PLOT.right]);
  const highest = Math.max(1, ...points.map((point) => point.ratio ?? 0));
  const y = scale([0, highest], [PLOT.areasEnd, PLOT.top]);
  const place = (position: number) => x(times[position] ?? 0).toFixed(1);
  const floor = points.map(() => 0);
  // Stacked from the bottom in the order of the bars: DONE first.
  const areas = JOB_STATES.map((state) => {
    const upper: string[] = [];
    const lower: string[] = [];
    points.forEach((point, position) => {
      const base = floor[position] ?? 0;
      const top = base + countOf(point.counts, state) / Math.max(1, point.counts.total);
      floor[position] = top;
      upper.push(`${place(position)},${y(top).toFixed(1)}`);
      lower.push(`${place(position)},${y(base).toFixed(1)}`);
    });
    return { state, path: `M${upper.join("L")}L${lower.reverse().join("L")}Z` };
  });
  const known = points.flatMap((point, position) =>
    point.ratio === null ? [] : [`${place(position)},${y(point.ratio).toFixed(1)}`],
  );
  const shownRates = rates.filter((rate) => rate.to > shown.from && rate.from < shown.to);
  const highestRate = Math.max(0, ...shownRates.map(({ perMinute }) => perMinute));
  const height = scale([0, highestRate || 1], [PLOT.ratesEnd, PLOT.ratesTop]);
  const steps = rates.map(
    ({ from, to, perMinute }) =>
      `M${x(from).toFixed(1)},${PLOT.ratesEnd}V${height(perMinute).toFixed(1)}H${x(to).toFixed(1)}V${PLOT.ratesEnd}Z`,
  );
  return {
    areas,
    line: known.length > 1 ? `M${known.join("L")}` : "",
    rates: steps.join(""),
    highestRate,
    x,
    y,
  };
}

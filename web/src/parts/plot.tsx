import { type KeyboardEvent, type PointerEvent, useMemo, useState } from "react";
import type { JobState } from "../generated/operations";
import { clock } from "../time";
import { compact, JOB_STATES, percent } from "../words";
import { scale, timeTicks } from "./axis";
import { type Counts, countOf, JobsLegend } from "./bar";
import { useWidth } from "./width";

/** What was known at a moment of the past. */
export interface Point {
  at: string;
  ratio: number | null;
  counts: Counts;
}

const HEIGHT = 204;
const TOP = 22;
const BOTTOM = 24;
const RIGHT = 44;
const LEFT = 44;

interface Shape {
  areas: { state: JobState; path: string }[];
  line: string;
  x: (at: number) => number;
  y: (share: number) => number;
  times: number[];
}

function shape(points: readonly Point[], width: number): Shape {
  const times = points.map((point) => Date.parse(point.at));
  const x = scale([times[0] ?? 0, times.at(-1) ?? 1], [LEFT, width - RIGHT]);
  const highest = Math.max(1, ...points.map((point) => point.ratio ?? 0));
  const y = scale([0, highest], [HEIGHT - BOTTOM, TOP]);
  const floor = points.map(() => 0);
  // From the ground up, in the order of the bars: what has ended well is what the rest stands on.
  const areas = JOB_STATES.map((state) => {
    const upper: string[] = [];
    const lower: string[] = [];
    points.forEach((point, place) => {
      const at = x(times[place] ?? 0).toFixed(1);
      const base = floor[place] ?? 0;
      const top = base + countOf(point.counts, state) / Math.max(1, point.counts.total);
      floor[place] = top;
      upper.push(`${at},${y(top).toFixed(1)}`);
      lower.push(`${at},${y(base).toFixed(1)}`);
    });
    return { state, path: `M${upper.join("L")}L${lower.reverse().join("L")}Z` };
  });
  const known = points.flatMap((point, place) =>
    point.ratio === null ? [] : [`${x(times[place] ?? 0).toFixed(1)},${y(point.ratio).toFixed(1)}`],
  );
  return { areas, line: known.length > 1 ? `M${known.join("L")}` : "", x, y, times };
}

function Readout({ point }: { point: Point }) {
  return (
    <p className="jobs-legend" aria-live="polite">
      <strong>{clock(Date.parse(point.at))}</strong>
      {point.ratio !== null && <span>progress {percent(point.ratio)}</span>}
      <JobsLegend counts={point.counts} />
    </p>
  );
}

/**
 * Jobs by state as stacked areas, and the progress as a line, over time. Hovering, touching or the
 * arrow keys tell the numbers of a moment; otherwise they are those of the latest.
 */
export function Plot({ points }: { points: readonly Point[] }) {
  const [ref, width] = useWidth<HTMLDivElement>();
  const [chosen, setChosen] = useState<number>();
  const drawn = useMemo(() => (width > 0 ? shape(points, width) : undefined), [points, width]);
  const last = points.length - 1;
  const place = Math.min(chosen ?? last, last);
  const point = points[place];
  if (point === undefined) return <p className="quiet">Nothing has happened yet.</p>;

  const choose = (event: PointerEvent) => {
    const { left } = event.currentTarget.getBoundingClientRect();
    const step = (width - RIGHT - LEFT) / Math.max(1, last);
    setChosen(Math.max(0, Math.min(last, Math.round((event.clientX - left - LEFT) / step))));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, Home: -last, End: last }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    setChosen(Math.max(0, Math.min(last, place + move)));
  };
  return (
    <figure className="plot">
      <div
        ref={ref}
        role="slider"
        tabIndex={0}
        aria-label="Jobs by state and progress over time"
        aria-valuemin={0}
        aria-valuemax={last}
        aria-valuenow={place}
        aria-valuetext={clock(Date.parse(point.at))}
        onKeyDown={onKeyDown}
        onBlur={() => setChosen(undefined)}
        onPointerDown={choose}
        onPointerMove={choose}
        onPointerLeave={(event) => event.pointerType === "mouse" && setChosen(undefined)}
      >
        {drawn && (
          <svg width={width} height={HEIGHT} aria-hidden="true">
            {drawn.areas.map(({ state, path }) => (
              <path key={state} d={path} className={`tone-${state.toLowerCase()}`} />
            ))}
            <Axes drawn={drawn} width={width} total={point.counts.total} />
            <path d={drawn.line} className="plot-line-under" />
            <path d={drawn.line} className="plot-line" />
            {chosen !== undefined && (
              <Cursor
                x={drawn.x(drawn.times[place] ?? 0)}
                y={point.ratio && drawn.y(point.ratio)}
              />
            )}
          </svg>
        )}
      </div>
      <figcaption>
        <Readout point={point} />
      </figcaption>
    </figure>
  );
}

function Cursor({ x, y }: { x: number; y: number | null }) {
  return (
    <>
      <path d={`M${x} ${TOP}V${HEIGHT - BOTTOM}`} className="plot-cursor" />
      {y !== null && <circle cx={x} cy={y} r={4} className="plot-dot" />}
    </>
  );
}

function Axes({ drawn, width, total }: { drawn: Shape; width: number; total: number }) {
  const { x, y, times } = drawn;
  const from = times[0] ?? 0;
  const to = times.at(-1) ?? 0;
  const ticks = timeTicks(from, to, Math.max(2, Math.floor((width - LEFT - RIGHT) / 110)));
  return (
    <g className="axes">
      <text x={LEFT - 8} y={10} textAnchor="end">
        jobs
      </text>
      <text x={width} y={10} textAnchor="end">
        progress
      </text>
      {[0, 0.5, 1].map((share) => (
        <g key={share}>
          <path d={`M${LEFT} ${y(share)}H${width - RIGHT}`} />
          <text x={LEFT - 8} y={y(share) + 4} textAnchor="end">
            {Number.isInteger(share * total) ? compact(share * total) : ""}
          </text>
          <text x={width - RIGHT + 8} y={y(share) + 4}>
            {share * 100} %
          </text>
        </g>
      ))}
      {ticks.map((at) => (
        <g key={at}>
          <path d={`M${x(at)} ${HEIGHT - BOTTOM}v4`} />
          <text x={x(at)} y={HEIGHT - 5} textAnchor="middle">
            {clock(at, to - from < 600_000)}
          </text>
        </g>
      ))}
    </g>
  );
}

import { type KeyboardEvent, type PointerEvent, useMemo, useState } from "react";
import { formatCompact, formatPercent } from "../format";
import type { JobState } from "../generated/operations";
import { JOB_STATES } from "../states";
import { formatTime } from "../time-format";
import { scale, timeTicks } from "./axis";
import { type Counts, countOf, JobsLegend } from "./bar";
import { useWidth } from "./width";

/** Progress and counts at one time. */
export interface TimelinePoint {
  at: string;
  ratio: number | null;
  counts: Counts;
}

const HEIGHT_PX = 204;
const TOP_PX = 22;
const BOTTOM_PX = 24;
const RIGHT_PX = 44;
const LEFT_PX = 44;

interface Layout {
  areas: { state: JobState; path: string }[];
  line: string;
  x: (at: number) => number;
  y: (share: number) => number;
  times: number[];
}

function computeLayout(points: readonly TimelinePoint[], width: number): Layout {
  const times = points.map((point) => Date.parse(point.at));
  const x = scale([times[0] ?? 0, times.at(-1) ?? 1], [LEFT_PX, width - RIGHT_PX]);
  const highest = Math.max(1, ...points.map((point) => point.ratio ?? 0));
  const y = scale([0, highest], [HEIGHT_PX - BOTTOM_PX, TOP_PX]);
  const floor = points.map(() => 0);
  // Stacked from the bottom in the order of the bars: DONE first.
  const areas = JOB_STATES.map((state) => {
    const upper: string[] = [];
    const lower: string[] = [];
    points.forEach((point, position) => {
      const at = x(times[position] ?? 0).toFixed(1);
      const base = floor[position] ?? 0;
      const top = base + countOf(point.counts, state) / Math.max(1, point.counts.total);
      floor[position] = top;
      upper.push(`${at},${y(top).toFixed(1)}`);
      lower.push(`${at},${y(base).toFixed(1)}`);
    });
    return { state, path: `M${upper.join("L")}L${lower.reverse().join("L")}Z` };
  });
  const known = points.flatMap((point, position) =>
    point.ratio === null
      ? []
      : [`${x(times[position] ?? 0).toFixed(1)},${y(point.ratio).toFixed(1)}`],
  );
  return { areas, line: known.length > 1 ? `M${known.join("L")}` : "", x, y, times };
}

function Numbers({ point }: { point: TimelinePoint }) {
  return (
    <p className="jobs-legend" aria-live="polite">
      <strong>{formatTime(Date.parse(point.at))}</strong>
      {point.ratio !== null && <span>progress {formatPercent(point.ratio)}</span>}
      <JobsLegend counts={point.counts} />
    </p>
  );
}

/**
 * Jobs by state as stacked areas and progress as a line, over time. Hover, touch or arrow keys
 * select a time whose numbers are shown; without a selection, the latest are.
 */
export function Plot({ points }: { points: readonly TimelinePoint[] }) {
  const [ref, width] = useWidth<HTMLDivElement>();
  const [selected, setSelected] = useState<number>();
  const layout = useMemo(
    () => (width > 0 ? computeLayout(points, width) : undefined),
    [points, width],
  );
  const last = points.length - 1;
  const position = Math.min(selected ?? last, last);
  const point = points[position];
  if (point === undefined) return <p className="quiet">No events yet.</p>;

  const select = (event: PointerEvent) => {
    const { left } = event.currentTarget.getBoundingClientRect();
    const step = (width - RIGHT_PX - LEFT_PX) / Math.max(1, last);
    setSelected(Math.max(0, Math.min(last, Math.round((event.clientX - left - LEFT_PX) / step))));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, Home: -last, End: last }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    setSelected(Math.max(0, Math.min(last, position + move)));
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
        aria-valuenow={position}
        aria-valuetext={formatTime(Date.parse(point.at))}
        onKeyDown={onKeyDown}
        onBlur={() => setSelected(undefined)}
        onPointerDown={select}
        onPointerMove={select}
        onPointerLeave={(event) => event.pointerType === "mouse" && setSelected(undefined)}
      >
        {layout && (
          <svg
            width={width}
            height={HEIGHT_PX}
            viewBox={`0 0 ${width} ${HEIGHT_PX}`}
            aria-hidden="true"
          >
            {layout.areas.map(({ state, path }) => (
              <path key={state} d={path} className={`tone-${state.toLowerCase()}`} />
            ))}
            <Axes layout={layout} width={width} total={point.counts.total} />
            <path d={layout.line} className="plot-line-under" />
            <path d={layout.line} className="plot-line" />
            {selected !== undefined && (
              <Cursor
                x={layout.x(layout.times[position] ?? 0)}
                y={point.ratio && layout.y(point.ratio)}
              />
            )}
          </svg>
        )}
      </div>
      <figcaption>
        <Numbers point={point} />
      </figcaption>
    </figure>
  );
}

function Cursor({ x, y }: { x: number; y: number | null }) {
  return (
    <>
      <path d={`M${x} ${TOP_PX}V${HEIGHT_PX - BOTTOM_PX}`} className="plot-cursor" />
      {y !== null && <circle cx={x} cy={y} r={4} className="plot-dot" />}
    </>
  );
}

function Axes({ layout, width, total }: { layout: Layout; width: number; total: number }) {
  const { x, y, times } = layout;
  const from = times[0] ?? 0;
  const to = times.at(-1) ?? 0;
  const ticks = timeTicks(from, to, Math.max(2, Math.floor((width - LEFT_PX - RIGHT_PX) / 110)));
  return (
    <g className="axes">
      <text x={LEFT_PX - 8} y={10} textAnchor="end">
        jobs
      </text>
      <text x={width} y={10} textAnchor="end">
        progress
      </text>
      {[0, 0.5, 1].map((share) => (
        <g key={share}>
          <path d={`M${LEFT_PX} ${y(share)}H${width - RIGHT_PX}`} />
          <text x={LEFT_PX - 8} y={y(share) + 4} textAnchor="end">
            {Number.isInteger(share * total) ? formatCompact(share * total) : ""}
          </text>
          <text x={width - RIGHT_PX + 8} y={y(share) + 4}>
            {share * 100} %
          </text>
        </g>
      ))}
      {ticks.map((at) => (
        <g key={at}>
          <path d={`M${x(at)} ${HEIGHT_PX - BOTTOM_PX}v4`} />
          <text x={x(at)} y={HEIGHT_PX - 5} textAnchor="middle">
            {formatTime(at, to - from < 600_000)}
          </text>
        </g>
      ))}
    </g>
  );
}

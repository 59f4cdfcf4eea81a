import { type KeyboardEvent, type PointerEvent, useMemo, useState } from "react";
import { formatCompact, formatCount, formatPercent, formatRate } from "../format";
import { formatDuration, formatTime } from "../time-format";
import { placeOn } from "../zoomed";
import { timeTicks } from "./axis";
import { JobsLegend } from "./bar";
import { type TimelineOf, useFineTimeline } from "./fine-timeline";
import { layOut, PLOT, type PlotLayout, timeAt } from "./plot-layout";
import type { Span } from "./span";
import { type PartOfTime, TimeZoomButtons, useTimeZoom } from "./time-zoom";
import { type Rate, ratesOf, restartsOf, stallsOf } from "./timeline-marks";
import type { TimelinePoint } from "./timeline-point";
import { useWidth } from "./width";

/** How many of the latest marks are told in words. */
const MAX_TOLD = 3;
/** Marks that are narrower have no label. */
const MIN_LABEL_PX = 60;
/** Room for how many jobs began again. */
const RESTART_LABEL_PX = 44;

interface PlotProps {
  points: readonly TimelinePoint[];
  /** What they are of. More points of it are requested where a part of the time is shown. */
  of: TimelineOf;
  /** Since when the work is stalled, if it is now. */
  stalledSince: string | null;
  part: PartOfTime;
}

function Numbers({ point, rate }: { point: TimelinePoint; rate: Rate | undefined }) {
  return (
    <p className="jobs-legend" aria-live="polite">
      <strong>{formatTime(Date.parse(point.at))}</strong>
      {point.ratio !== null && <span>progress {formatPercent(point.ratio)}</span>}
      {rate && <span>{rate.perMinute > 0 ? formatRate(rate.perMinute) : "no job ended"}</span>}
      <JobsLegend counts={point.counts} />
    </p>
  );
}

function timeOf(point: TimelinePoint | undefined): number {
  return Date.parse(point?.at ?? "");
}

/** The position of the point nearest to a time. */
function nearest(times: readonly number[], at: number): number {
  const after = times.findIndex((time) => time >= at);
  if (after <= 0) return after < 0 ? times.length - 1 : 0;
  return (times[after] ?? 0) - at < at - (times[after - 1] ?? 0) ? after : after - 1;
}

/** What the plot marks: when the work was stalled, and when jobs began again. */
function useMarks(points: readonly TimelinePoint[], stalledSince: string | null) {
  return useMemo(() => {
    const last = Date.parse(points.at(-1)?.at ?? "");
    const stalls = stallsOf(points);
    if (stalledSince) stalls.push({ from: Date.parse(stalledSince), to: last });
    return { stalls, restarts: restartsOf(points) };
  }, [points, stalledSince]);
}

type Marks = ReturnType<typeof useMarks>;

/**
 * Jobs by state as stacked areas, progress as a line, and below the rate at which jobs ended, over
 * time. Hover, touch or arrow keys select a time whose numbers are shown; without a selection, the
 * latest are. Dragging with a mouse, `+` and `-` show a part of the time.
 */
export function Plot({ points: coarse, of, stalledSince, part }: PlotProps) {
  const [ref, width] = useWidth<HTMLDivElement>();
  /** A time in ms. */
  const [selected, setSelected] = useState<number>();
  const whole = { from: timeOf(coarse[0]), to: timeOf(coarse.at(-1)) };
  const zoom = useTimeZoom(whole, (place, shown) => timeAt(place, shown, width), part);
  const points = useFineTimeline(of, !zoom.isWhole) ?? coarse;
  const times = useMemo(() => points.map(timeOf), [points]);
  const { from, to } = zoom.shown;
  const rates = useMemo(() => ratesOf(coarse), [coarse]);
  const layout = useMemo(
    () => (width > 0 ? layOut(points, rates, { from, to }, width) : undefined),
    [points, rates, from, to, width],
  );
  const marks = useMarks(coarse, stalledSince);
  const position = nearest(times, selected ?? to);
  const point = points[position];
  if (point === undefined) return <p className="quiet">No events yet.</p>;

  const [first, end] = [nearest(times, from), nearest(times, to)];
  const select = (event: PointerEvent) => {
    const at = timeAt(placeOn(event.currentTarget, event).x, zoom.shown, width);
    setSelected(Math.max(from, Math.min(to, at)));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, Home: -end, End: end }[event.key];
    if (!zoom.handleKey(event, times[position] ?? to)) {
      if (move === undefined) return;
      setSelected(times[Math.max(first, Math.min(end, position + move))]);
    }
    event.preventDefault();
  };
  return (
    <figure className="plot">
      <div
        ref={ref}
        role="slider"
        tabIndex={0}
        aria-label="Jobs by state and progress over time"
        aria-valuemin={first}
        aria-valuemax={end}
        aria-valuenow={position}
        aria-valuetext={formatTime(Date.parse(point.at))}
        onKeyDown={onKeyDown}
        onBlur={() => setSelected(undefined)}
        {...zoom.drag}
        onPointerDown={(event) => {
          select(event);
          zoom.drag.onPointerDown(event);
        }}
        onPointerMove={(event) => {
          select(event);
          zoom.drag.onPointerMove(event);
        }}
        onPointerLeave={(event) => event.pointerType === "mouse" && setSelected(undefined)}
        onDoubleClick={zoom.showAll}
      >
        {layout && (
          <svg
            width={width}
            height={PLOT.height}
            viewBox={`0 0 ${width} ${PLOT.height}`}
            aria-hidden="true"
          >
            <Axes layout={layout} shown={zoom.shown} width={width} total={point.counts.total} />
            <Drawing layout={layout} marks={marks} width={width} />
            {selected !== undefined && (
              <Cursor
                x={layout.x(times[position] ?? 0)}
                y={point.ratio === null ? null : layout.y(point.ratio)}
              />
            )}
            {zoom.brush && (
              <rect
                className="plot-brush"
                x={Math.min(...zoom.brush)}
                y={PLOT.top}
                width={Math.abs(zoom.brush[1] - zoom.brush[0])}
                height={PLOT.ratesEnd - PLOT.top}
              />
            )}
          </svg>
        )}
      </div>
      <figcaption>
        <div className="plot-foot">
          <Numbers
            point={point}
            rate={selected === undefined ? undefined : rates.find(({ to }) => selected <= to)}
          />
          <TimeZoomButtons zoom={zoom} at={times[position] ?? to} />
        </div>
        <MarksInWords marks={marks} isStalled={stalledSince !== null} />
      </figcaption>
    </figure>
  );
}

/** The latest stalls and restarts in words. */
function MarksInWords({ marks, isStalled }: { marks: Marks; isStalled: boolean }) {
  const { stalls, restarts } = marks;
  if (stalls.length + restarts.length === 0) return null;
  return (
    <ul className="plot-marks quiet">
      {stalls.slice(-MAX_TOLD).map(({ from, to }, place, told) => (
        <li key={from}>
          {isStalled && place === told.length - 1
            ? `stalled since ${formatTime(from)}`
            : `stalled for ${formatDuration(to - from)} from ${formatTime(from)}`}
        </li>
      ))}
      {restarts.slice(-MAX_TOLD).map(({ at, count }) => (
        <li key={at}>
          {formatCount(count, "job")} began again at {formatTime(at)}
        </li>
      ))}
    </ul>
  );
}

/** What is drawn of the points and marks, cut at the axes. */
function Drawing({ layout, marks, width }: { layout: PlotLayout; marks: Marks; width: number }) {
  const { x } = layout;
  const inner = Math.max(0, width - PLOT.left - PLOT.right);
  const height = PLOT.ratesEnd - PLOT.top;
  return (
    <svg
      x={PLOT.left}
      width={inner}
      height={PLOT.height}
      viewBox={`${PLOT.left} 0 ${inner} ${PLOT.height}`}
      role="presentation"
    >
      {layout.areas.map(({ state, path }) => (
        <path key={state} d={path} className={`tone-${state.toLowerCase()}`} />
      ))}
      <path d={layout.rates} className="plot-rates" />
      {marks.stalls.map(({ from, to }) => {
        const [begin, end] = [Math.max(PLOT.left, x(from)), Math.min(width - PLOT.right, x(to))];
        if (end < begin) return null;
        return (
          <g key={from}>
            <rect
              className="plot-stall"
              x={begin}
              y={PLOT.top}
              width={Math.max(2, end - begin)}
              height={height}
            />
            {end - begin >= MIN_LABEL_PX && (
              <text className="plot-mark-label" x={begin + 5} y={PLOT.ratesEnd - 6}>
                stalled
              </text>
            )}
          </g>
        );
      })}
      <path d={layout.line} className="plot-line-under" />
      <path d={layout.line} className="plot-line" />
      {marks.restarts.map(({ at, count }) => (
        <g key={at}>
          <path className="plot-restart" d={`M${x(at)} ${PLOT.top - 6}V${PLOT.ratesEnd}`} />
          <text
            className="plot-mark-label"
            dx={4}
            x={Math.min(x(at), width - PLOT.right - RESTART_LABEL_PX)}
            y={PLOT.top - 8}
          >
            ↻ {formatCompact(count)}
          </text>
        </g>
      ))}
    </svg>
  );
}

function Cursor({ x, y }: { x: number; y: number | null }) {
  return (
    <>
      <path d={`M${x} ${PLOT.top}V${PLOT.ratesEnd}`} className="plot-cursor" />
      {y !== null && <circle cx={x} cy={y} r={4} className="plot-dot" />}
    </>
  );
}

interface AxesProps {
  layout: PlotLayout;
  shown: Span;
  width: number;
  total: number;
}

function Axes({ layout, shown, width, total }: AxesProps) {
  const { x, y, highestRate } = layout;
  const { from, to } = shown;
  const right = width - PLOT.right;
  const ticks = timeTicks(from, to, Math.max(2, Math.floor((right - PLOT.left) / 110)));
  const [rate, unit] = formatRate(highestRate).split(" jobs");
  return (
    <g className="axes">
      <text x={PLOT.left - 8} y={10} textAnchor="end">
        jobs
      </text>
      <text x={width} y={10} textAnchor="end">
        progress
      </text>
      {[0, 0.5, 1].map((share) => (
        <g key={share}>
          <path d={`M${PLOT.left} ${y(share)}H${right}`} />
          <text x={PLOT.left - 8} y={y(share) + 4} textAnchor="end">
            {Number.isInteger(share * total) ? formatCompact(share * total) : ""}
          </text>
          <text x={right + 8} y={y(share) + 4}>
            {share * 100} %
          </text>
        </g>
      ))}
      <path d={`M${PLOT.left} ${PLOT.ratesEnd}H${right}`} />
      {highestRate > 0 && (
        <>
          <text x={PLOT.left - 8} y={PLOT.ratesTop + 6} textAnchor="end">
            {rate}
          </text>
          <text x={right + 8} y={PLOT.ratesTop + 6}>
            {unit}
          </text>
        </>
      )}
      {ticks.map((at) => (
        <g key={at}>
          <path d={`M${x(at)} ${PLOT.ratesEnd}v4`} />
          <text x={x(at)} y={PLOT.height - 5} textAnchor="middle">
            {formatTime(at, to - from < 600_000)}
          </text>
        </g>
      ))}
    </g>
  );
}

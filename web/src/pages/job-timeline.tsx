import { type KeyboardEvent, type PointerEvent, useMemo, useState } from "react";
import { scale, timeTicks } from "../components/axis";
import type { Span } from "../components/span";
import { useNow } from "../components/time";
import { type PartOfTime, TimeZoomButtons, useTimeZoom } from "../components/time-zoom";
import { useWidth } from "../components/width";
import { formatNumber } from "../format";
import {
  eventTime,
  type JobEvent,
  type Phase,
  phasesOf,
  restartTimesOf,
  silencesOf,
} from "../job-phases";
import { labelOf } from "../states";
import { formatDuration, formatFullTime, formatTime } from "../time-format";
import { placeOn } from "../zoomed";
import { ProgressCurve } from "./progress-curve";

/** Where the parts of the timeline are, in CSS pixels from its top. */
const LANE_TOP_PX = 18;
const LANE_HEIGHT_PX = 14;
const TICKS_TOP_PX = 35;
const CURVE_TOP_PX = 54;
const CURVE_BOTTOM_PX = 162;
const AXIS_HEIGHT_PX = 24;
const LEFT_PX = 44;
const RIGHT_PX = 16;
/** The width of the label of a time; the last one ends where the axis does. */
const LABEL_PX = 80;
/** Number of latest phases that the legend lists. */
const MAX_LISTED = 6;
/** And of latest silences. */
const MAX_SILENCES = 3;

const VERBS: Record<Phase["kind"], string> = {
  SUBMITTED: "waited",
  RUNNING: "ran",
  HELD: "held",
};

interface JobTimelineProps {
  /** The events of the job, in any order. */
  events: readonly JobEvent[];
  /** Whether progress is in percent, with a scale from 0 to 100. */
  isPercent: boolean;
  ended: boolean;
  part: PartOfTime;
}

/** A phase in words, like `ran 2 min 5 s, failed`; only its end if nothing told of its start. */
function describePhase(phase: Phase): string {
  if (phase.end !== null && phase.from === phase.to) return labelOf(phase.end);
  const kind = VERBS[phase.kind];
  const end = phase.end === null ? "" : `, ${labelOf(phase.end)}`;
  return `${kind} ${formatDuration(phase.to - phase.from)}${end}`;
}

function describeSilence({ from, to }: Span): string {
  return `silent for ${formatDuration(to - from)}`;
}

/** The suffix of the colour class of a phase, by its end or kind. */
function colourOf(phase: Phase): string {
  return (phase.end ?? phase.kind).toLowerCase();
}

interface PhaseLegendProps {
  phases: readonly Phase[];
  silences: readonly Span[];
}

/** The latest phases and silences in words, oldest first. Waits of less than a second are omitted. */
function PhaseLegend({ phases, silences }: PhaseLegendProps) {
  const listed = phases.filter(({ kind, from, to }) => kind !== "SUBMITTED" || to - from >= 1000);
  const earlier = listed.length - MAX_LISTED;
  return (
    <p className="jobs-legend">
      {earlier > 0 && <span className="quiet">{formatNumber(earlier)} earlier, then</span>}
      {listed.slice(-MAX_LISTED).map((phase) => (
        <span key={`${phase.kind}${phase.from}`} title={formatFullTime(phase.from)}>
          <i className={`swatch fill-${colourOf(phase)}`} />
          {describePhase(phase)}
        </span>
      ))}
      {silences.slice(-MAX_SILENCES).map((silence) => (
        <span key={silence.from} title={formatFullTime(silence.from)}>
          <i className="swatch silence" />
          {describeSilence(silence)}
        </span>
      ))}
    </p>
  );
}

interface MomentProps {
  at: number;
  phases: readonly Phase[];
  /** The events with progress, ordered by time. */
  reports: readonly JobEvent[];
  isPercent: boolean;
}

/** What the job did at a time, and its progress then. */
function Moment({ at, phases, reports, isPercent }: MomentProps) {
  const phase = phases.findLast(({ from }) => from <= at);
  const isPast = phase !== undefined && (phase.end === null ? phase.to < at : phase.to <= at);
  const state = isPast ? phase.end : phase?.kind;
  const begin = phase?.kind === "RUNNING" ? phase.from : at;
  const report = reports.findLast((event) => eventTime(event) >= begin && eventTime(event) <= at);
  return (
    <p className="jobs-legend" aria-live="polite">
      <strong>{formatTime(at)}</strong>
      {state && <span>{labelOf(state)}</span>}
      {report && (
        <span>
          progress {formatNumber(report.progress ?? 0)}
          {isPercent && " %"}
        </span>
      )}
    </p>
  );
}

/** What happened to a job, until its end or now. */
function useHistory(events: readonly JobEvent[], now: number) {
  const sorted = useMemo(() => [...events].sort((a, b) => eventTime(a) - eventTime(b)), [events]);
  const reports = useMemo(() => sorted.filter(({ progress }) => progress !== null), [sorted]);
  const times = useMemo(() => sorted.map(eventTime), [sorted]);
  const restarts = useMemo(() => restartTimesOf(sorted), [sorted]);
  const phases = useMemo(() => phasesOf(sorted, now), [sorted, now]);
  const from = times[0] ?? now;
  const to = Math.max(from + 1000, times.at(-1) ?? 0, ...phases.map((phase) => phase.to));
  const silences = useMemo(() => silencesOf(times, phases), [times, phases]);
  return { whole: { from, to }, reports, times, restarts, phases, silences };
}

/**
 * The waits, attempts and holds of a job on a line, with marks where it began again and where it was
 * silent, and below it the reported progress as a curve. Hover, touch or arrow keys select a time.
 * Dragging with a mouse, `+` and `-` show a part of the time.
 */
export function JobTimeline({ events, isPercent, ended, part }: JobTimelineProps) {
  const [ref, width] = useWidth<HTMLDivElement>();
  const current = useNow();
  // The timeline of an ended job does not move.
  const [openedAt] = useState(current);
  const [selected, setSelected] = useState<number>();
  const history = useHistory(events, ended ? openedAt : current);
  const { whole, reports, times, restarts, phases, silences } = history;
  const toTime = (place: number, { from, to }: Span) =>
    scale([LEFT_PX, width - RIGHT_PX], [from, to])(place);
  const zoom = useTimeZoom(whole, toTime, part);
  if (times.length === 0) return null;

  const { from, to } = zoom.shown;
  const x = scale([from, to], [LEFT_PX, width - RIGHT_PX]);
  const right = width - RIGHT_PX;
  const bottom = reports.length > 0 ? CURVE_BOTTOM_PX : CURVE_TOP_PX - 10;
  const height = bottom + AXIS_HEIGHT_PX;
  const isShown = (span: Span) => span.to >= from && span.from <= to;
  const edge = (at: number) => Math.max(LEFT_PX, Math.min(right, x(at)));
  const at = Math.max(from, Math.min(to, selected ?? to));
  const select = (event: PointerEvent) => {
    setSelected(toTime(placeOn(event.currentTarget, event).x, zoom.shown));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const next = {
      ArrowLeft: times.findLast((time) => time < at),
      ArrowRight: times.find((time) => time > at) ?? to,
      Home: from,
      End: to,
    }[event.key];
    if (!zoom.handleKey(event, at)) {
      if (next === undefined) return;
      setSelected(Math.max(from, Math.min(to, next)));
    }
    event.preventDefault();
  };
  return (
    <figure className="job-timeline">
      <div
        ref={ref}
        role="slider"
        tabIndex={0}
        aria-label="Waits, attempts and progress over time"
        aria-valuemin={Math.round(from / 1000)}
        aria-valuemax={Math.round(to / 1000)}
        aria-valuenow={Math.round(at / 1000)}
        aria-valuetext={formatTime(at)}
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
        {width > 0 && (
          <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
            {phases.filter(isShown).map((phase) => (
              <rect
                key={`${phase.kind}${phase.from}`}
                x={edge(phase.from)}
                y={LANE_TOP_PX}
                width={Math.max(2, edge(phase.to) - edge(phase.from))}
                height={LANE_HEIGHT_PX}
                rx={3}
                className={`tone-${colourOf(phase)}`}
              >
                <title>{`${describePhase(phase)}\n${formatFullTime(phase.from)}`}</title>
              </rect>
            ))}
            {silences.filter(isShown).map((silence) => (
              <rect
                key={silence.from}
                className="job-timeline-silence"
                x={edge(silence.from)}
                y={LANE_TOP_PX + LANE_HEIGHT_PX / 2 - 2}
                width={Math.max(2, edge(silence.to) - edge(silence.from))}
                height={4}
              >
                <title>{`${describeSilence(silence)}\n${formatFullTime(silence.from)}`}</title>
              </rect>
            ))}
            <path
              className="job-timeline-ticks"
              d={times
                .filter((time) => time >= from && time <= to)
                .map((time) => `M${x(time).toFixed(1)} ${TICKS_TOP_PX}v6`)
                .join("")}
            />
            {reports.length > 0 && (
              <ProgressCurve
                reports={reports}
                starts={phases.filter(({ kind }) => kind === "RUNNING").map((phase) => phase.from)}
                x={x}
                left={LEFT_PX}
                right={right}
                top={CURVE_TOP_PX}
                bottom={CURVE_BOTTOM_PX - 4}
                isPercent={isPercent}
              />
            )}
            {restarts
              .filter((time) => time >= from && time <= to)
              .map((time) => (
                <g key={time}>
                  <path className="plot-restart" d={`M${x(time)} 4V${bottom}`} />
                  <text className="plot-mark-label" x={x(time) + 4} y={12}>
                    ↻
                  </text>
                </g>
              ))}
            <g className="axes">
              {timeTicks(from, to, Math.max(2, Math.floor(width / 120))).map((tick) => (
                <text
                  key={tick}
                  x={x(tick)}
                  y={height - 5}
                  textAnchor={x(tick) > width - LABEL_PX / 2 ? "end" : "middle"}
                >
                  {formatTime(tick, to - from < 600_000)}
                </text>
              ))}
            </g>
            {selected !== undefined && (
              <path d={`M${x(at)} ${LANE_TOP_PX - 6}V${bottom}`} className="plot-cursor" />
            )}
            {zoom.brush && (
              <rect
                className="plot-brush"
                x={Math.min(...zoom.brush)}
                y={LANE_TOP_PX - 6}
                width={Math.abs(zoom.brush[1] - zoom.brush[0])}
                height={bottom - LANE_TOP_PX + 6}
              />
            )}
          </svg>
        )}
      </div>
      <div className="plot-foot">
        <Moment at={at} phases={phases} reports={reports} isPercent={isPercent} />
        <TimeZoomButtons zoom={zoom} at={at} />
      </div>
      <figcaption>
        <PhaseLegend phases={phases} silences={silences} />
        {restarts.length > 0 && (
          <p className="plot-marks quiet">
            ↻ began again at{" "}
            {restarts
              .slice(-MAX_LISTED)
              .map((time) => formatTime(time))
              .join(", ")}
          </p>
        )}
      </figcaption>
    </figure>
  );
}

import { useMemo, useState } from "react";
import { scale, timeTicks } from "../components/axis";
import { useNow } from "../components/time";
import { useWidth } from "../components/width";
import { formatNumber } from "../format";
import { eventTime, type JobEvent, type Phase, phasesOf } from "../job-phases";
import { labelOf } from "../states";
import { formatDuration, formatFullTime, formatTime } from "../time-format";

const LANE_HEIGHT_PX = 34;
const CURVE_HEIGHT_PX = 120;
const AXIS_HEIGHT_PX = 24;
const LEFT_PX = 44;
const RIGHT_PX = 16;
/** The width of the label of a time; the last one ends where the axis does. */
const LABEL_PX = 80;
/** Number of latest phases that the legend lists. */
const MAX_LISTED = 6;

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
}

/** A phase in words, like `ran 2 min 5 s, failed`. */
function describePhase(phase: Phase): string {
  const kind = VERBS[phase.kind];
  const end = phase.end === null ? "" : `, ${labelOf(phase.end)}`;
  return `${kind} ${formatDuration(phase.to - phase.from)}${end}`;
}

/** The suffix of the colour class of a phase, by its end or kind. */
function colourOf(phase: Phase): string {
  return (phase.end ?? phase.kind).toLowerCase();
}

/** The latest phases in words, oldest first. Waits of less than a second are omitted. */
function PhaseLegend({ phases }: { phases: readonly Phase[] }) {
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
    </p>
  );
}

/** The waits, attempts and holds of a job on a line, and below it the reported progress as a curve. */
export function JobTimeline({ events, isPercent, ended }: JobTimelineProps) {
  const [ref, width] = useWidth<HTMLDivElement>();
  const current = useNow();
  // The timeline of an ended job does not move.
  const [openedAt] = useState(current);
  const now = ended ? openedAt : current;
  const sorted = useMemo(() => [...events].sort((a, b) => eventTime(a) - eventTime(b)), [events]);
  const first = sorted[0];
  const latest = sorted.at(-1);
  if (first === undefined || latest === undefined) return null;

  const phases = phasesOf(sorted, now);
  const reports = sorted.filter((event) => event.progress !== null);
  const from = eventTime(first);
  const to = Math.max(from + 1000, eventTime(latest), ...phases.map((phase) => phase.to));
  const x = scale([from, to], [LEFT_PX, width - RIGHT_PX]);
  const curve = reports.length > 0 ? CURVE_HEIGHT_PX : 0;
  const height = LANE_HEIGHT_PX + curve + AXIS_HEIGHT_PX;
  return (
    <figure className="job-timeline" ref={ref}>
      {width > 0 && (
        <svg
          width={width}
          height={height}
          viewBox={`0 0 ${width} ${height}`}
          role="img"
          aria-label="Waits and attempts over time"
        >
          {phases.map((phase) => (
            <rect
              key={`${phase.kind}${phase.from}`}
              x={x(phase.from)}
              y={6}
              width={Math.max(2, x(phase.to) - x(phase.from))}
              height={14}
              rx={3}
              className={`tone-${colourOf(phase)}`}
            >
              <title>{`${describePhase(phase)}\n${formatFullTime(phase.from)}`}</title>
            </rect>
          ))}
          <path
            className="job-timeline-ticks"
            d={sorted.map((event) => `M${x(eventTime(event)).toFixed(1)} 23v6`).join("")}
          />
          {curve > 0 && (
            <ProgressCurve
              reports={reports}
              phases={phases}
              x={x}
              right={width - RIGHT_PX}
              isPercent={isPercent}
            />
          )}
          <g className="axes">
            {timeTicks(from, to, Math.max(2, Math.floor(width / 120))).map((at) => (
              <text
                key={at}
                x={x(at)}
                y={height - 5}
                textAnchor={x(at) > width - LABEL_PX / 2 ? "end" : "middle"}
              >
                {formatTime(at, to - from < 600_000)}
              </text>
            ))}
          </g>
        </svg>
      )}
      <figcaption>
        <PhaseLegend phases={phases} />
      </figcaption>
    </figure>
  );
}

interface ProgressCurveProps {
  reports: readonly JobEvent[];
  phases: readonly Phase[];
  x: (at: number) => number;
  right: number;
  isPercent: boolean;
}

/** The reported progress, as one curve for each attempt: a restart resets the progress. */
function ProgressCurve({ reports, phases, x, right, isPercent }: ProgressCurveProps) {
  const highest = isPercent ? 100 : Math.max(1, ...reports.map((event) => event.progress ?? 0));
  const y = scale([0, highest], [LANE_HEIGHT_PX + CURVE_HEIGHT_PX - 4, LANE_HEIGHT_PX + 8]);
  const starts = phases.filter((phase) => phase.kind === "RUNNING").map((phase) => phase.from);
  const attempts = new Map<number, string[]>();
  for (const event of reports) {
    const at = eventTime(event);
    const start = starts.findLast((start) => start <= at) ?? at;
    const path = attempts.get(start) ?? [`${x(start).toFixed(1)} ${y(0).toFixed(1)}`];
    path.push(`${x(at).toFixed(1)} ${y(event.progress ?? 0).toFixed(1)}`);
    attempts.set(start, path);
  }
  return (
    <>
      <g className="axes">
        {[0, highest / 2, highest].map((value) => (
          <g key={value}>
            <path d={`M${LEFT_PX} ${y(value)}H${right}`} />
            <text x={LEFT_PX - 8} y={y(value) + 4} textAnchor="end">
              {formatNumber(value)}
              {isPercent && " %"}
            </text>
          </g>
        ))}
      </g>
      {[...attempts].map(([start, points]) => (
        <path key={start} className="plot-line" d={`M${points.join("L")}`} />
      ))}
      {reports.length <= 60 &&
        reports.map((event) => (
          <circle
            key={event.id}
            className="plot-dot"
            r={2.6}
            cx={x(eventTime(event))}
            cy={y(event.progress ?? 0)}
          />
        ))}
    </>
  );
}

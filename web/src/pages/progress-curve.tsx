import { scale } from "../components/axis";
import { formatNumber } from "../format";
import { eventTime, type JobEvent } from "../job-phases";

/** Curves of more reports have no dots. */
const MAX_DOTS = 60;

interface ProgressCurveProps {
  /** The events with progress, ordered by time. */
  reports: readonly JobEvent[];
  /** When attempts and what follows holds began. */
  starts: readonly number[];
  x: (at: number) => number;
  /** Where the curve begins and ends, in CSS pixels. */
  left: number;
  right: number;
  top: number;
  bottom: number;
  isPercent: boolean;
}

/** The reported progress, as one curve for each attempt: a restart resets the progress. */
export function ProgressCurve(props: ProgressCurveProps) {
  const { reports, starts, x, left, right, top, bottom, isPercent } = props;
  const highest = isPercent ? 100 : Math.max(1, ...reports.map((event) => event.progress ?? 0));
  const y = scale([0, highest], [bottom, top]);
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
            <path d={`M${left} ${y(value)}H${right}`} />
            <text x={left - 8} y={y(value) + 4} textAnchor="end">
              {formatNumber(value)}
              {isPercent && " %"}
            </text>
          </g>
        ))}
      </g>
      <svg
        x={left}
        width={Math.max(0, right - left)}
        height={bottom + 6}
        viewBox={`${left} 0 ${Math.max(0, right - left)} ${bottom + 6}`}
        role="presentation"
      >
        {[...attempts].map(([start, points]) => (
          <path key={start} className="plot-line" d={`M${points.join("L")}`} />
        ))}
        {reports.length <= MAX_DOTS &&
          reports.map((event) => (
            <circle
              key={event.id}
              className="plot-dot"
              r={2.6}
              cx={x(eventTime(event))}
              cy={y(event.progress ?? 0)}
            />
          ))}
      </svg>
    </>
  );
}

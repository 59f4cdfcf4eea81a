import { useMemo, useState } from "react";
import { type JobEvent, type Stretch, stretches, timeOf } from "../life";
import { scale, timeTicks } from "../parts/axis";
import { useWidth } from "../parts/width";
import { clock, fullTime, span, useNow } from "../time";
import { number, word } from "../words";

const LANE = 34;
const CURVE = 120;
const AXIS = 24;
const LEFT = 44;
const RIGHT = 16;
/** So many stretches are told in words, the latest. */
const TOLD = 6;

interface LifeLineProps {
  /** The events that make the line, in any order. */
  events: readonly JobEvent[];
  /** Whether the reports are percent, and their scale therefore known. */
  isPercent: boolean;
  ended: boolean;
}

/** A stretch in words, like `ran 2 min 5 s, failed`. */
function inWords(stretch: Stretch): string {
  const kind = stretch.kind === "RUNNING" ? "ran" : "waited";
  const end = stretch.end === null ? "" : `, ${word(stretch.end)}`;
  return `${kind} ${span(stretch.to - stretch.from)}${end}`;
}

/** The class of a stretch's colour, by what became of it. */
function tone(stretch: Stretch): string {
  return (stretch.end ?? stretch.kind).toLowerCase();
}

/** The latest stretches in words, in their order; waits of no length are left out. */
function Stretches({ life }: { life: readonly Stretch[] }) {
  const told = life.filter(({ kind, from, to }) => kind === "RUNNING" || to - from >= 1000);
  const earlier = told.length - TOLD;
  return (
    <p className="jobs-legend">
      {earlier > 0 && <span className="quiet">{number(earlier)} earlier, then</span>}
      {told.slice(-TOLD).map((stretch) => (
        <span key={`${stretch.kind}${stretch.from}`} title={fullTime(stretch.from)}>
          <i className={`swatch fill-${tone(stretch)}`} />
          {inWords(stretch)}
        </span>
      ))}
    </p>
  );
}

/** A job's life: its waits and attempts on a line, and below it what it reported, as a curve. */
export function LifeLine({ events, isPercent, ended }: LifeLineProps) {
  const [ref, width] = useWidth<HTMLDivElement>();
  const current = useNow();
  // The line of a job that has ended stands still.
  const [opened] = useState(current);
  const now = ended ? opened : current;
  const sorted = useMemo(() => [...events].sort((a, b) => timeOf(a) - timeOf(b)), [events]);
  const first = sorted[0];
  const latest = sorted.at(-1);
  if (first === undefined || latest === undefined) return null;

  const life = stretches(sorted, now);
  const reports = sorted.filter((event) => event.progress !== null);
  const from = timeOf(first);
  const to = Math.max(from + 1000, timeOf(latest), ...life.map((stretch) => stretch.to));
  const x = scale([from, to], [LEFT, width - RIGHT]);
  const curve = reports.length > 0 ? CURVE : 0;
  const height = LANE + curve + AXIS;
  return (
    <figure className="life" ref={ref}>
      {width > 0 && (
        <svg width={width} height={height} role="img" aria-label="Waits and attempts">
          {life.map((stretch) => (
            <rect
              key={`${stretch.kind}${stretch.from}`}
              x={x(stretch.from)}
              y={6}
              width={Math.max(2, x(stretch.to) - x(stretch.from))}
              height={14}
              rx={3}
              className={`tone-${tone(stretch)}`}
            >
              <title>{`${inWords(stretch)}\n${fullTime(stretch.from)}`}</title>
            </rect>
          ))}
          <path
            className="life-ticks"
            d={sorted.map((event) => `M${x(timeOf(event)).toFixed(1)} 23v6`).join("")}
          />
          {curve > 0 && (
            <Curve
              reports={reports}
              life={life}
              x={x}
              right={width - RIGHT}
              isPercent={isPercent}
            />
          )}
          <g className="axes">
            {timeTicks(from, to, Math.max(2, Math.floor(width / 120))).map((at) => (
              <text key={at} x={x(at)} y={height - 5} textAnchor="middle">
                {clock(at, to - from < 600_000)}
              </text>
            ))}
          </g>
        </svg>
      )}
      <figcaption>
        <Stretches life={life} />
      </figcaption>
    </figure>
  );
}

interface CurveProps {
  reports: readonly JobEvent[];
  life: readonly Stretch[];
  x: (at: number) => number;
  right: number;
  isPercent: boolean;
}

/** What was reported, anew for every attempt: a restart forgets the progress. */
function Curve({ reports, life, x, right, isPercent }: CurveProps) {
  const highest = isPercent ? 100 : Math.max(1, ...reports.map((event) => event.progress ?? 0));
  const y = scale([0, highest], [LANE + CURVE - 4, LANE + 8]);
  const starts = life
    .filter((stretch) => stretch.kind === "RUNNING")
    .map((stretch) => stretch.from);
  const attempts = new Map<number, string[]>();
  for (const event of reports) {
    const at = timeOf(event);
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
            <path d={`M${LEFT} ${y(value)}H${right}`} />
            <text x={LEFT - 8} y={y(value) + 4} textAnchor="end">
              {number(value)}
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
            cx={x(timeOf(event))}
            cy={y(event.progress ?? 0)}
          />
        ))}
    </>
  );
}

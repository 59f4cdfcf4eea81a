import { formatCount, formatNumber } from "../format";
import { formatDuration } from "../time-format";
import { type DurationBin, durationTicks, shareAt } from "./histogram";

/** The least distance of two labels of the axis, as a part of its width. */
const TICK_GAP = 0.16;
/** Labels that are nearer to an end of the axis begin or end there. */
const EDGE = 0.06;

interface DurationHistogramProps {
  bins: readonly DurationBin[];
  median: number;
  p95: number;
  /** Jobs that run for long; null if unknown. */
  stragglers: { longerThan: number; count: number } | null;
}

function durationOf(seconds: number): string {
  return formatDuration(1000 * seconds);
}

/** By how much a label is moved to the left, so that it stays above the axis. */
function shiftOf(share: number): string {
  if (share < EDGE) return "0";
  return share > 1 - EDGE ? "-100%" : "-50%";
}

/** A height, at which also a single job of many can be seen. */
function heightOf(count: number, most: number): string {
  return count === 0 ? "0" : `max(3px, ${(100 * count) / most}%)`;
}

/** How many jobs took how long, and in a column of their own those that run for much longer. */
export function DurationHistogram({ bins, median, p95, stragglers }: DurationHistogramProps) {
  const late = stragglers?.count ?? 0;
  const most = Math.max(late, ...bins.map(({ count }) => count));
  const describe = (bin: DurationBin) =>
    `${durationOf(bin.begin)} to ${durationOf(bin.end)}: ${formatCount(bin.count, "job")}`;
  return (
    <div className="histogram">
      <p className="histogram-most quiet">{formatCount(most, "job")}</p>
      <div className="histogram-plot">
        <ol aria-label="Jobs by duration">
          {bins.map((bin) => (
            <li key={bin.begin} title={describe(bin)}>
              <i className="fill-done" style={{ height: heightOf(bin.count, most) }} />
              {bin.count > 0 && <span className="off-screen">{describe(bin)}</span>}
            </li>
          ))}
        </ol>
        {[
          { name: "median", seconds: median },
          { name: "95 %", seconds: p95 },
        ].map(({ name, seconds }) => (
          <span
            key={name}
            className="histogram-mark"
            style={{ left: `${100 * shareAt(bins, seconds)}%` }}
            title={`${name}: ${durationOf(seconds)}`}
            aria-hidden
          >
            {name}
          </span>
        ))}
        <p className="histogram-axis quiet" aria-hidden>
          {durationTicks(bins, TICK_GAP).map(({ seconds, share }) => (
            <span key={seconds} style={{ left: `${100 * share}%`, translate: shiftOf(share) }}>
              {durationOf(seconds)}
            </span>
          ))}
        </p>
      </div>
      {stragglers && late > 0 && (
        <div
          className="histogram-late"
          title={`longer than ${durationOf(stragglers.longerThan)}: ${formatCount(late, "job")}`}
        >
          <i className="fill-late" style={{ height: heightOf(late, most) }} />
          <p className="histogram-axis quiet">
            <span>{formatNumber(late)} still run</span>
          </p>
        </div>
      )}
    </div>
  );
}

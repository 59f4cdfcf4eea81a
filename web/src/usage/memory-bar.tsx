import { formatBytes } from "../format";

interface MemoryBarProps {
  /** Bytes that half of the jobs, 95 % of them and the largest job needed at most. */
  median: number;
  p95: number;
  max: number;
  /** What was requested for a job, on average; null if unknown. */
  requested: number | null;
}

/** The memory that jobs needed, against what was requested, on a line from 0. */
export function MemoryBar({ median, p95, max, requested }: MemoryBarProps) {
  const end = Math.max(max, requested ?? 0, 1);
  const at = (bytes: number) => `${(100 * bytes) / end}%`;
  const words = [
    `median ${formatBytes(median)}`,
    `95 % below ${formatBytes(p95)}`,
    `largest ${formatBytes(max)}`,
    ...(requested === null ? [] : [`requested ${formatBytes(requested)}`]),
  ];
  return (
    <div className="memory-bar" role="img" aria-label={words.join(", ")} title={words.join("\n")}>
      <i className="memory-largest" style={{ width: at(max) }} />
      <i className="memory-most" style={{ width: at(p95) }} />
      <i className="memory-median" style={{ width: at(median) }} />
      {requested !== null && <i className="memory-requested" style={{ left: at(requested) }} />}
    </div>
  );
}

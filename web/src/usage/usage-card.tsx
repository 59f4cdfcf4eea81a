import { ProgressBar } from "../components/bar";
import { CopyButton } from "../components/copy-button";
import { FactList } from "../components/fact-list";
import { formatSelected } from "../failures/copy-form";
import { formatBytes, formatCount, formatNumber, formatPercent } from "../format";
import {
  ProcessUsageChangedDocument,
  type ProcessUsageChangedSubscription,
  ProcessUsageDocument,
  type ProcessUsageQuery,
} from "../generated/operations";
import { usePushedQuery } from "../live-query";
import { formatDuration } from "../time-format";
import { DurationHistogram } from "./duration-histogram";
import { HostUsage } from "./host-usage";
import { MemoryBar } from "./memory-bar";

/** Shortest time between two snapshots, in seconds: distributions change slowly. */
const INTERVAL_S = 15;
/** Longest time without a request; stragglers depend on the clock. */
const POLL_MS = 60_000;
/** Number of hosts that are listed; fewer than two tell nothing. */
const MAX_HOSTS = 8;
/** The server counts no more stragglers. */
const MAX_STRAGGLERS = 10_000;

type Usage = NonNullable<ProcessUsageQuery["process"]>["usage"];

function usageOf({ taskChanged }: ProcessUsageChangedSubscription): ProcessUsageQuery {
  return { process: taskChanged.process };
}

function durationOf(seconds: number): string {
  return formatDuration(1000 * seconds);
}

/** The jobs that run for long, and a button that copies their indices. */
function Stragglers({ name, of }: { name: string; of: NonNullable<Usage["stragglers"]> }) {
  const { count, longerThan, indices } = of;
  if (count === 0) return null;
  const number = count < MAX_STRAGGLERS ? formatNumber(count) : `${formatNumber(count)} or more`;
  return (
    <p className="stragglers">
      <span>
        <strong>{number}</strong> {count === 1 ? "job has" : "jobs have"} run for more than{" "}
        {durationOf(longerThan)}, 1.5 times as long as 95&nbsp;% of those that are done.
      </span>
      <CopyButton
        label={`Copy ${formatCount(count, "index", "indices")}`}
        text={() => formatSelected({ name, indices })}
      />
    </p>
  );
}

function Durations({ name, usage }: { name: string; usage: Usage }) {
  const { duration, stragglers } = usage;
  if (duration === null) return null;
  return (
    <section className="usage-part usage-durations" aria-labelledby="durations">
      <h3 id="durations">Durations of {formatCount(duration.count, "done job")}</h3>
      <DurationHistogram
        bins={duration.histogram}
        median={duration.median}
        p95={duration.p95}
        stragglers={stragglers}
      />
      <FactList
        facts={[
          ["Shortest", durationOf(duration.min)],
          ["Median", durationOf(duration.median)],
          ["Mean", durationOf(duration.mean)],
          ["95 % within", durationOf(duration.p95)],
          ["Longest", durationOf(duration.max)],
        ]}
      />
      {stragglers && <Stragglers name={name} of={stragglers} />}
    </section>
  );
}

function Memory({ memory }: { memory: NonNullable<Usage["memory"]> }) {
  const { requested, max } = memory;
  return (
    <section className="usage-part" aria-labelledby="memory">
      <h3 id="memory">Memory of {formatCount(memory.count, "job")}</h3>
      <MemoryBar {...memory} />
      <FactList
        facts={[
          ["Median", formatBytes(memory.median)],
          ["95 % below", formatBytes(memory.p95)],
          [
            "Largest",
            requested
              ? `${formatBytes(max)} (${formatPercent(max / requested)})`
              : formatBytes(max),
          ],
          ["Requested", requested === null ? null : formatBytes(requested)],
        ]}
      />
    </section>
  );
}

/** How long the jobs of an array took and what they used; nothing if no job has told. */
export function UsageCard({ task, name }: { task: string; name: string }) {
  const { data } = usePushedQuery(
    ProcessUsageDocument,
    { task, name, hosts: MAX_HOSTS },
    {
      document: ProcessUsageChangedDocument,
      variables: { names: [task], process: name, interval: INTERVAL_S, hosts: MAX_HOSTS },
      dataOf: usageOf,
    },
    { minIntervalMs: POLL_MS },
  );
  const usage = data?.process?.usage;
  if (!usage || (!usage.duration && !usage.memory && usage.efficiency === null)) return null;
  return (
    <section className="card" aria-labelledby="usage">
      <h2 id="usage">Durations and resources</h2>
      <div className="usage">
        <Durations name={name} usage={usage} />
        <div className="usage-resources">
          {usage.memory && <Memory memory={usage.memory} />}
          {usage.efficiency !== null && (
            <section className="usage-part" aria-labelledby="efficiency">
              <h3 id="efficiency">CPU efficiency</h3>
              <ProgressBar ratio={usage.efficiency} label="CPU efficiency" />
              <p className="quiet">CPU time used, of what the jobs were given</p>
            </section>
          )}
        </div>
        {usage.hosts.length > 1 && <HostUsage hosts={usage.hosts} />}
      </div>
    </section>
  );
}

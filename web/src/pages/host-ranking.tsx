import { execute } from "../api";
import { formatCount, formatNumber } from "../format";
import { JobHostsDocument } from "../generated/operations";
import { useLiveFetch } from "../live-query";
import { UNSUCCESSFUL } from "../states";

const PAGE_SIZE = 100;
/** The API does not rank hosts. The page counts them, from this many unsuccessful jobs at most. */
const MAX_COUNTED_JOBS = 1000;
/** A ranking may take ten requests. */
const MIN_INTERVAL_MS = 3000;
const MAX_SHOWN_HOSTS = 8;

interface Ranking {
  hosts: [name: string, failures: number][];
  jobs: number;
}

async function rankHosts(task: string, name: string, signal: AbortSignal): Promise<Ranking> {
  const tally = new Map<string, number>();
  let after: string | null = null;
  let jobs = 0;
  while (jobs < MAX_COUNTED_JOBS) {
    const variables: { after: string | null } = { after };
    const { process } = await execute(
      JobHostsDocument,
      { task, name, first: PAGE_SIZE, filter: { states: [...UNSUCCESSFUL] }, ...variables },
      signal,
    );
    if (process === null || !("jobs" in process)) break;
    for (const { hostname } of process.jobs.nodes) {
      tally.set(hostname ?? "", (tally.get(hostname ?? "") ?? 0) + 1);
    }
    jobs += process.jobs.nodes.length;
    if (!process.jobs.pageInfo.hasNextPage) break;
    after = process.jobs.pageInfo.endCursor;
  }
  return { hosts: [...tally].sort(([, one], [, other]) => other - one), jobs };
}

/** The hosts with the most unsuccessful jobs, to spot a bad node. */
export function HostRanking({
  task,
  name,
  failed,
}: {
  task: string;
  name: string;
  failed: number;
}) {
  const { data: ranking } = useLiveFetch(
    ["hosts", task, name],
    (signal) => rankHosts(task, name, signal),
    [task],
    MIN_INTERVAL_MS,
  );
  if (ranking === undefined) return null;
  const most = ranking.hosts[0]?.[1] ?? 1;
  return (
    <section className="card" aria-labelledby="hosts">
      <h2 id="hosts">Failures by host</h2>
      <ol className="hosts">
        {ranking.hosts.slice(0, MAX_SHOWN_HOSTS).map(([host, failures]) => (
          <li key={host}>
            <span className="host">{host || "unknown"}</span>
            <span className="host-count">{formatNumber(failures)}</span>
            <span className="host-track">
              <span className="host-bar" style={{ width: `${(failures / most) * 100}%` }} />
            </span>
          </li>
        ))}
      </ol>
      <p className="quiet">
        {ranking.hosts.length > MAX_SHOWN_HOSTS &&
          `and ${formatCount(ranking.hosts.length - MAX_SHOWN_HOSTS, "more host")}; `}
        {ranking.jobs < failed && ranking.jobs >= MAX_COUNTED_JOBS
          ? `first ${formatNumber(ranking.jobs)} jobs counted`
          : `${formatCount(ranking.jobs, "job")}, by last host`}
      </p>
    </section>
  );
}

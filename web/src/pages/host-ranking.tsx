import { execute } from "../api";
import { formatCount, formatNumber } from "../format";
import { JobHostsDocument } from "../generated/operations";
import { useLiveFetch } from "../live-query";
import { UNSUCCESSFUL } from "../states";

const PAGE_SIZE = 100;
/** The API does not rank hosts. The page counts them, from this many unsuccessful jobs at most. */
const MAX_COUNTED_JOBS = 1000;
/** Shortest time between two rankings, each of which may take ten requests. */
const MIN_INTERVAL_MS = 60_000;
const MAX_SHOWN_HOSTS = 8;

interface Ranking {
  hosts: [name: string, failures: number][];
  jobs: number;
}

type Jobs = readonly { hostname: string | null }[];

function rank(jobs: Jobs): Ranking {
  const tally = new Map<string, number>();
  for (const { hostname } of jobs) tally.set(hostname ?? "", (tally.get(hostname ?? "") ?? 0) + 1);
  return { hosts: [...tally].sort(([, one], [, other]) => other - one), jobs: jobs.length };
}

/** Ranks the hosts of more jobs than one page has. */
async function fetchRanking(task: string, name: string, signal: AbortSignal): Promise<Ranking> {
  const jobs: { hostname: string | null }[] = [];
  let after: string | null = null;
  while (jobs.length < MAX_COUNTED_JOBS) {
    const variables: { after: string | null } = { after };
    const { process } = await execute(
      JobHostsDocument,
      { task, name, first: PAGE_SIZE, filter: { states: [...UNSUCCESSFUL] }, ...variables },
      signal,
    );
    if (process === null || !("jobs" in process)) break;
    jobs.push(...process.jobs.nodes);
    if (!process.jobs.pageInfo.hasNextPage) break;
    after = process.jobs.pageInfo.endCursor;
  }
  return rank(jobs);
}

interface HostRankingProps {
  task: string;
  name: string;
  /** The first unsuccessful jobs, up to date. */
  firstJobs: { nodes: Jobs; pageInfo: { hasNextPage: boolean } };
  /** How many there are. */
  unsuccessful: number;
}

/** The hosts with the most unsuccessful jobs, to spot a bad node. */
export function HostRanking({ task, name, firstJobs, unsuccessful }: HostRankingProps) {
  const hasMore = firstJobs.pageInfo.hasNextPage;
  const { data } = useLiveFetch(
    ["hosts", task, name],
    (signal) => fetchRanking(task, name, signal),
    [task],
    { minIntervalMs: MIN_INTERVAL_MS, enabled: hasMore },
  );
  const ranking = (hasMore && data) || rank(firstJobs.nodes);
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
        {ranking.jobs < unsuccessful && ranking.jobs >= MAX_COUNTED_JOBS
          ? `first ${formatNumber(ranking.jobs)} jobs counted`
          : `${formatCount(ranking.jobs, "job")}, by last host`}
      </p>
    </section>
  );
}

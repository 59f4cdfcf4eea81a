import { execute } from "../api";
import { JobHostsDocument } from "../generated/operations";
import { useLiveFetch } from "../live-query";
import { count, FAILING, number } from "../words";

const PAGE = 100;
/** The API ranks no hosts: they are counted here, from so many failing jobs at most. */
const COUNTED = 1000;
/** A ranking may take ten requests. */
const MIN_INTERVAL_MS = 3000;
const SHOWN = 8;

interface Ranking {
  hosts: [name: string, failures: number][];
  jobs: number;
}

async function rankHosts(task: string, name: string, signal: AbortSignal): Promise<Ranking> {
  const tally = new Map<string, number>();
  let after: string | null = null;
  let jobs = 0;
  while (jobs < COUNTED) {
    const variables: { after: string | null } = { after };
    const { process } = await execute(
      JobHostsDocument,
      { task, name, first: PAGE, filter: { states: [...FAILING] }, ...variables },
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

/** Where jobs fail: hosts by their failures, so that a bad node shows at once. */
export function Hosts({ task, name, failed }: { task: string; name: string; failed: number }) {
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
      <h2 id="hosts">Hosts by failures</h2>
      <ol className="hosts">
        {ranking.hosts.slice(0, SHOWN).map(([host, failures]) => (
          <li key={host}>
            <span className="host">{host || "not told"}</span>
            <span className="host-count">{number(failures)}</span>
            <span className="host-track">
              <span className="host-bar" style={{ width: `${(failures / most) * 100}%` }} />
            </span>
          </li>
        ))}
      </ol>
      <p className="quiet">
        {ranking.hosts.length > SHOWN &&
          `and ${count(ranking.hosts.length - SHOWN, "more host")}; `}
        {ranking.jobs < failed && ranking.jobs >= COUNTED
          ? `counted among the first ${number(ranking.jobs)} failing jobs`
          : `${count(ranking.jobs, "failing job")}, each by its last host`}
      </p>
    </section>
  );
}

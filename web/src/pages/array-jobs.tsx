import { useMemo } from "react";
import { HeldBody, useBodyHold } from "../components/held-body";
import { NewRows } from "../components/hold-buttons";
import { ErrorNotice, Loading } from "../components/notice";
import { Plot } from "../components/plot";
import { Timing } from "../components/timing";
import {
  causeParameters,
  includesCause,
  NO_CAUSE,
  nameOf,
  parseCause,
  queryOf,
  withCause,
  withoutKeys,
} from "../failures/cause";
import { ExitFacets } from "../failures/exit-facets";
import { causeOf, FailureList } from "../failures/failure-list";
import { fetchFailures } from "../failures/fetch-indices";
import type { FailureCause, JobFilter } from "../generated/operations";
import { useHeldValue } from "../held-rows";
import {
  decodeCells,
  highlightIndices,
  highlightState,
  indicesOf,
  LEGEND_STATES,
} from "../map/cells";
import type { Route } from "../route";
import { updateQuery } from "../router";
import { UNSUCCESSFUL } from "../states";
import { UsageCard } from "../usage/usage-card";
import { type ArrayData, useArrayJobs, usePickedJobs } from "./array-data";
import { ArrayMap } from "./array-map";
import { HostRanking } from "./host-ranking";
import { firstPageOf, JobTable } from "./job-table";
import { LostJobs } from "./lost-jobs";
import { partOfTime } from "./part-of-time";
import type { Process } from "./process";

const FAILURES: JobFilter = { states: [...UNSUCCESSFUL] };
const HELD: JobFilter = { states: ["HELD"] };
const NO_QUERY = new URLSearchParams();

interface PickedCauseProps {
  cause: FailureCause;
  pick: (cause: FailureCause | null) => void;
}

/** What the table of failures is restricted to, and buttons that lift this. */
function PickedCause({ cause, pick }: PickedCauseProps) {
  const withoutHost = withoutKeys(cause, ["HOST"]);
  const withoutWhy = withoutKeys(cause, ["EXIT", "MESSAGE"]);
  return (
    <p className="facets">
      {withoutHost && (
        <button type="button" className="toggle" onClick={() => pick(withoutWhy)}>
          <span className="cause-message">{nameOf(withoutHost)}</span> <span aria-hidden>×</span>
          <span className="off-screen">: show all causes</span>
        </button>
      )}
      {withoutWhy && (
        <button type="button" className="toggle" onClick={() => pick(withoutHost)}>
          <span className="cause-message">{nameOf(withoutWhy)}</span> <span aria-hidden>×</span>
          <span className="off-screen">: show all hosts</span>
        </button>
      )}
    </p>
  );
}

/** The hosts of the picked cause, or of all failures. */
function hostsOf(jobs: ArrayData, picked: FailureCause | null) {
  const cause = jobs.causes.find((each) => includesCause(picked, causeOf(each)));
  if (cause) return { hosts: cause.hosts, hostCount: cause.hostCount };
  return { hosts: jobs.hosts, hostCount: jobs.failures[0]?.hostCount ?? 0 };
}

interface ArrayJobsProps {
  task: string;
  process: Process;
  route: Route;
}

/** The jobs of an array: why they failed, the map, tables of failed and held jobs, and progress. */
export function ArrayJobs(props: ArrayJobsProps) {
  return (
    <HeldBody>
      <Jobs {...props} />
    </HeldBody>
  );
}

function Jobs({ task, process, route }: ArrayJobsProps) {
  const { name, counts } = process;
  const { jobs, error, refresh } = useArrayJobs(task, name, counts.total);
  if (jobs) return <LoadedJobs task={task} process={process} route={route} jobs={jobs} />;
  return (
    <section className="card">
      <h2>Map of jobs</h2>
      {error ? <ErrorNotice error={error} retry={refresh} /> : <Loading rows={5} />}
    </section>
  );
}

/** The sections that are shown. While the page is held, none comes or goes. */
function useSections(jobs: ArrayData, lost: number, cause: FailureCause | null) {
  const failures = jobs.failures[0]?.count ?? 0;
  const now = {
    failures: failures > 0,
    exits: jobs.exits.length > 1 && jobs.exits.length < jobs.causes.length,
    unsuccessful: jobs.unsuccessful.totalCount > 0 || cause !== null,
    lost: lost > 0,
    held: jobs.heldJobs.totalCount > 0,
  };
  const { value: shown, release } = useHeldValue(now, useBodyHold().isHeld);
  const added =
    (shown.failures ? 0 : failures) +
    (shown.lost ? 0 : lost) +
    (shown.held ? 0 : jobs.heldJobs.totalCount);
  const isBehind = JSON.stringify(shown) !== JSON.stringify(now);
  return { shown, news: { added, isBehind, release } };
}

function LoadedJobs({ task, process, route, jobs }: ArrayJobsProps & { jobs: ArrayData }) {
  const { name, counts } = process;
  const { firstIndex } = jobs;
  const cells = useMemo(() => decodeCells(jobs), [jobs]);
  const cause = parseCause(route.query);
  const requested = route.query.get("pick")?.toUpperCase();
  const state =
    cause === null ? (LEGEND_STATES.find((state) => state === requested) ?? null) : null;
  const picked = usePickedJobs(task, name, counts.total, cause);
  const indices = useMemo(
    () => (state === null ? picked?.indices : indicesOf(cells, state, firstIndex)),
    [cells, state, picked?.indices, firstIndex],
  );
  const shownCells = useMemo(() => {
    if (state !== null) return highlightState(cells, state);
    return indices === undefined ? cells : highlightIndices(cells, indices, firstIndex);
  }, [cells, state, indices, firstIndex]);
  const { shown, news } = useSections(jobs, counts.lost ?? 0, cause);
  const change = (changes: Record<string, string | null>) => updateQuery(route, changes, true);
  const pick = (next: FailureCause | null) =>
    change({ ...causeParameters(next), ...firstPageOf("unsuccessful"), pick: null });
  const pickWhy = (why: FailureCause | null) => {
    const others = withoutKeys(cause, ["EXIT", "MESSAGE"]);
    pick(why === null ? others : withCause(others, why));
  };
  const pickHost = (host: FailureCause | null) =>
    pick(host === null ? withoutKeys(cause, ["HOST"]) : withCause(cause, host));
  const jobQuery = queryOf(cause);
  return (
    <>
      {shown.failures && (
        <FailureList
          total={jobs.failures}
          causes={jobs.causes}
          picked={cause}
          pick={pickWhy}
          indices={(cause) => fetchFailures(task, name, cause)}
        >
          {shown.exits && <ExitFacets exits={jobs.exits} picked={cause} pick={pickWhy} />}
        </FailureList>
      )}
      <ArrayMap
        task={task}
        name={name}
        jobIndices={jobs}
        cells={cells}
        shownCells={shownCells}
        state={state}
        pick={(state) => change({ ...NO_CAUSE, pick: state?.toLowerCase() ?? null })}
        indices={indices}
        place={route.query.get("map")}
        onPlace={(map) => change({ map })}
      >
        <NewRows held={news} what="failed, lost and held jobs" />
      </ArrayMap>
      {(shown.unsuccessful || cause !== null) && (
        <div className="columns">
          <JobTable
            key={`jobs ${JSON.stringify(cause)}`}
            id="unsuccessful"
            title="Unsuccessful jobs"
            task={task}
            name={name}
            filter={cause ? { cause } : FAILURES}
            firstPage={cause ? picked?.jobs : jobs.unsuccessful}
            route={route}
            jobQuery={jobQuery}
          >
            {cause && <PickedCause cause={cause} pick={pick} />}
          </JobTable>
          <HostRanking
            key={`hosts ${JSON.stringify(withoutKeys(cause, ["HOST"]))}`}
            {...hostsOf(jobs, cause)}
            picked={cause}
            pick={pickHost}
          />
        </div>
      )}
      {shown.lost && <LostJobs task={task} name={name} count={counts.lost ?? 0} />}
      {shown.held && (
        <JobTable
          id="held"
          title="Held jobs"
          task={task}
          name={name}
          filter={HELD}
          firstPage={jobs.heldJobs}
          route={route}
          jobQuery={NO_QUERY}
        />
      )}
      <div className="pair">
        <section className="card">
          <h2>Progress over time</h2>
          <Plot
            points={jobs.timeline}
            of={{ task, process: name }}
            stalledSince={process.stalledSince}
            part={partOfTime(route)}
          />
          <Timing of={process} />
        </section>
        <UsageCard task={task} name={name} />
      </div>
    </>
  );
}

import { type FormEvent, useMemo } from "react";
import { CopyButton } from "../components/copy-button";
import { IndexList } from "../components/index-list";
import { ErrorNotice, Loading } from "../components/notice";
import { Plot } from "../components/plot";
import { Timing } from "../components/timing";
import {
  causeParameters,
  includesCause,
  NO_CAUSE,
  nameOf,
  parseCause,
  withCause,
  withoutKeys,
} from "../failures/cause";
import { copyForm, formatIndices } from "../failures/copy-forms";
import { ExitFacets } from "../failures/exit-facets";
import { causeOf, FailureList } from "../failures/failure-list";
import { fetchFailures } from "../failures/fetch-indices";
import { formatCompact, formatCount } from "../format";
import type { FailureCause, JobFilter } from "../generated/operations";
import {
  CELL_STATES,
  type CellState,
  decodeCells,
  highlightIndices,
  highlightState,
  indicesOf,
  type JobIndices,
} from "../map/cells";
import { JobMap } from "../map/job-map";
import { hrefOf, type Route } from "../route";
import { navigate, updateQuery } from "../router";
import { JOB_STATES, labelOf, UNSUCCESSFUL } from "../states";
import { UsageCard } from "../usage/usage-card";
import { type ArrayData, useArrayJobs, usePickedJobs } from "./array-data";
import { HostRanking } from "./host-ranking";
import { JobTable } from "./job-table";
import { LostJobs } from "./lost-jobs";
import type { Process } from "./process";

const LEGEND_STATES: readonly CellState[] = [...JOB_STATES, "LATE", "LOST"];
const MAX_SHOWN_CHARS = 160;
const FAILURES: JobFilter = { states: [...UNSUCCESSFUL] };
const HELD: JobFilter = { states: ["HELD"] };

function MapLegend({
  cells,
  picked,
  pick,
}: {
  cells: Uint8Array;
  picked: CellState | null;
  pick: (state: CellState | null) => void;
}) {
  const counts = useMemo(() => {
    const found = new Uint32Array(CELL_STATES.length);
    for (const code of cells) found[code] = (found[code] ?? 0) + 1;
    return found;
  }, [cells]);
  return (
    <fieldset className="toggles legend">
      <legend>Highlight</legend>
      {LEGEND_STATES.map((state) => {
        const jobs = counts[CELL_STATES.indexOf(state)] ?? 0;
        if (jobs === 0 && picked !== state) return null;
        return (
          <button
            key={state}
            type="button"
            className="toggle"
            aria-pressed={picked === state}
            onClick={() => pick(picked === state ? null : state)}
          >
            <i className={`swatch fill-${state.toLowerCase()}`} />
            {labelOf(state)} <strong>{formatCompact(jobs)}</strong>
          </button>
        );
      })}
    </fieldset>
  );
}

interface PickedIndicesProps {
  /** The name of the array. */
  name: string;
  /** The label of the button. */
  label: string;
  indices: string;
}

/** The indices of what is picked, and a button that copies them in the selected form. */
function PickedIndices({ name, label, indices }: PickedIndicesProps) {
  const end = indices.lastIndexOf(",", MAX_SHOWN_CHARS);
  const short = indices.length > MAX_SHOWN_CHARS ? `${indices.slice(0, end)} …` : indices;
  return (
    <div className="picked">
      <code>{short === "" ? "none" : <IndexList indices={short} />}</code>
      {indices !== "" && (
        <CopyButton
          key={label}
          label={label}
          text={() => formatIndices({ name, indices }, copyForm.get())}
        />
      )}
    </div>
  );
}

function OpenJobForm({
  task,
  name,
  jobIndices,
}: {
  task: string;
  name: string;
  jobIndices: JobIndices;
}) {
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const index = new FormData(event.currentTarget).get("index");
    if (typeof index === "string" && index !== "") navigate(hrefOf(["tasks", task, name, index]));
  };
  return (
    <form className="go-to" onSubmit={submit}>
      <label>
        Job{" "}
        <input
          type="number"
          name="index"
          required
          min={jobIndices.firstIndex}
          max={jobIndices.firstIndex + jobIndices.jobCount - 1}
          placeholder="index"
        />
      </label>
      <button type="submit" className="button">
        Open
      </button>
    </form>
  );
}

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
export function ArrayJobs({ task, process, route }: ArrayJobsProps) {
  const { name, counts } = process;
  const { jobs, error, refresh } = useArrayJobs(task, name, counts.total);
  const cells = useMemo(() => (jobs ? decodeCells(jobs) : undefined), [jobs]);
  const cause = parseCause(route.query);
  const requested = route.query.get("pick")?.toUpperCase();
  const state =
    cause === null ? (LEGEND_STATES.find((state) => state === requested) ?? null) : null;
  const picked = usePickedJobs(task, name, counts.total, cause);
  const firstIndex = jobs?.firstIndex ?? 0;
  const indices = useMemo(() => {
    if (cells === undefined) return undefined;
    return state === null ? picked?.indices : indicesOf(cells, state, firstIndex);
  }, [cells, state, picked?.indices, firstIndex]);
  const shownCells = useMemo(() => {
    if (cells === undefined) return undefined;
    if (state !== null) return highlightState(cells, state);
    return indices === undefined ? cells : highlightIndices(cells, indices, firstIndex);
  }, [cells, state, indices, firstIndex]);
  const pick = (next: FailureCause | null) =>
    updateQuery(route, { ...causeParameters(next), pick: null }, true);
  const pickWhy = (why: FailureCause | null) => {
    const others = withoutKeys(cause, ["EXIT", "MESSAGE"]);
    pick(why === null ? others : withCause(others, why));
  };
  const pickHost = (host: FailureCause | null) =>
    pick(host === null ? withoutKeys(cause, ["HOST"]) : withCause(cause, host));
  const label = state ? `Copy indices: ${labelOf(state)}` : "Copy the picked indices";
  return (
    <>
      {jobs && (
        <FailureList
          total={jobs.failures}
          causes={jobs.causes}
          picked={cause}
          pick={pickWhy}
          indices={(cause) => fetchFailures(task, name, cause)}
        >
          {jobs.exits.length > 1 && jobs.exits.length < jobs.causes.length && (
            <ExitFacets exits={jobs.exits} picked={cause} pick={pickWhy} />
          )}
        </FailureList>
      )}
      <section className="card" aria-labelledby="map">
        <div className="card-head">
          <h2 id="map">Map of {jobs ? formatCount(jobs.jobCount, "job") : "jobs"}</h2>
          {jobs && <OpenJobForm task={task} name={name} jobIndices={jobs} />}
        </div>
        {jobs && cells && shownCells && (
          <>
            <MapLegend
              cells={cells}
              picked={state}
              pick={(state) =>
                updateQuery(route, { ...NO_CAUSE, pick: state?.toLowerCase() ?? null }, true)
              }
            />
            {indices !== undefined && <PickedIndices name={name} label={label} indices={indices} />}
            <JobMap
              cells={shownCells}
              first={jobs.firstIndex}
              onOpen={(index) => navigate(hrefOf(["tasks", task, name, String(index)]))}
            />
          </>
        )}
        {!jobs && (error ? <ErrorNotice error={error} retry={refresh} /> : <Loading rows={5} />)}
      </section>
      {jobs && (jobs.unsuccessful.totalCount > 0 || cause) && (
        <div className="columns">
          <JobTable
            key={JSON.stringify(cause)}
            id="unsuccessful"
            title="Unsuccessful jobs"
            task={task}
            name={name}
            filter={cause ? { cause } : FAILURES}
            firstPage={cause ? picked?.jobs : jobs.unsuccessful}
          >
            {cause && <PickedCause cause={cause} pick={pick} />}
          </JobTable>
          <HostRanking {...hostsOf(jobs, cause)} picked={cause} pick={pickHost} />
        </div>
      )}
      <LostJobs task={task} name={name} count={counts.lost ?? 0} />
      {jobs && jobs.heldJobs.totalCount > 0 && (
        <JobTable
          id="held"
          title="Held jobs"
          task={task}
          name={name}
          filter={HELD}
          firstPage={jobs.heldJobs}
        />
      )}
      {jobs && (
        <section className="card">
          <h2>Progress over time</h2>
          <Plot
            points={jobs.timeline}
            of={{ task, process: name }}
            stalledSince={process.stalledSince}
          />
          <Timing of={process} />
        </section>
      )}
      {jobs && <UsageCard task={task} name={name} />}
    </>
  );
}

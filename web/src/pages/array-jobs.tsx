import { type FormEvent, useMemo } from "react";
import { countUnsuccessful } from "../components/bar";
import { CopyButton } from "../components/copy-button";
import { ErrorNotice, Loading } from "../components/notice";
import { Plot } from "../components/plot";
import { formatCompact, formatCount } from "../format";
import {
  ArrayJobsChangedDocument,
  type ArrayJobsChangedSubscription,
  ArrayJobsDocument,
  type ArrayJobsQuery,
} from "../generated/operations";
import { usePushedQuery } from "../live-query";
import { CELL_STATES, type CellState, decodeCells, indicesOf, type JobIndices } from "../map/cells";
import { JobMap } from "../map/job-map";
import { hrefOf, type Route } from "../route";
import { navigate, updateQuery } from "../router";
import { JOB_STATES, labelOf } from "../states";
import { HostRanking } from "./host-ranking";
import type { Process } from "./process";
import { Timing } from "./task";
import { PAGE_SIZE, UnsuccessfulJobs } from "./unsuccessful-jobs";

const LEGEND_STATES: readonly CellState[] = [...JOB_STATES, "LATE", "LOST"];
const MAX_SHOWN_CHARS = 160;

const TIMELINE_POINTS = 90;
const HOSTS = 100;
/** Shortest and longest interval between two snapshots, in seconds. */
const MIN_INTERVAL_S = 2;
const MAX_INTERVAL_S = 15;
/** The indices of so many jobs may be sent in a second: in the worst case, 7 bytes each. */
const JOBS_PER_SECOND = 20_000;

function dataOf({ taskChanged }: ArrayJobsChangedSubscription): ArrayJobsQuery {
  return { process: taskChanged.process };
}

/** What is shown of the jobs of an array, kept up to date. Large arrays take a longer interval. */
function useArrayJobs(task: string, name: string, jobCount: number) {
  const shown = { points: TIMELINE_POINTS, first: PAGE_SIZE, hosts: HOSTS };
  const interval = Math.min(MAX_INTERVAL_S, Math.max(MIN_INTERVAL_S, jobCount / JOBS_PER_SECOND));
  const { data, error, refresh } = usePushedQuery(
    ArrayJobsDocument,
    { task, name, ...shown },
    {
      document: ArrayJobsChangedDocument,
      variables: { names: [task], process: name, interval, ...shown },
      dataOf,
    },
  );
  const process = data?.process;
  return { jobs: process && "jobCount" in process ? process : undefined, error, refresh };
}

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

/** The indices of the picked state, in the format of `sbatch --array`. */
function PickedIndices({
  state,
  cells,
  firstIndex,
}: {
  state: CellState;
  cells: Uint8Array;
  firstIndex: number;
}) {
  const text = useMemo(() => indicesOf(cells, state, firstIndex), [cells, state, firstIndex]);
  const short = text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS)} …` : text;
  return (
    <div className="picked">
      <code>{short || "none"}</code>
      {text !== "" && (
        <CopyButton key={state} label={`Copy indices: ${labelOf(state)}`} text={() => text} />
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

interface ArrayJobsProps {
  task: string;
  process: Process;
  route: Route;
}

/** The jobs of an array: the map, the unsuccessful jobs and their hosts, and progress over time. */
export function ArrayJobs({ task, process, route }: ArrayJobsProps) {
  const { name, counts } = process;
  const { jobs, error, refresh } = useArrayJobs(task, name, counts.total);
  const cells = useMemo(() => (jobs ? decodeCells(jobs) : undefined), [jobs]);
  const requested = route.query.get("pick")?.toUpperCase();
  const picked = LEGEND_STATES.find((state) => state === requested) ?? null;
  return (
    <>
      <section className="card" aria-labelledby="map">
        <div className="card-head">
          <h2 id="map">Map of {jobs ? formatCount(jobs.jobCount, "job") : "jobs"}</h2>
          {jobs && <OpenJobForm task={task} name={name} jobIndices={jobs} />}
        </div>
        {jobs && cells && (
          <>
            <MapLegend
              cells={cells}
              picked={picked}
              pick={(state) => updateQuery(route, { pick: state?.toLowerCase() ?? null }, true)}
            />
            {picked && <PickedIndices state={picked} cells={cells} firstIndex={jobs.firstIndex} />}
            <JobMap
              cells={cells}
              first={jobs.firstIndex}
              picked={picked}
              onOpen={(index) => navigate(hrefOf(["tasks", task, name, String(index)]))}
            />
          </>
        )}
        {!jobs && (error ? <ErrorNotice error={error} retry={refresh} /> : <Loading rows={5} />)}
      </section>
      {jobs && jobs.unsuccessful.totalCount > 0 && (
        <div className="columns">
          <UnsuccessfulJobs task={task} name={name} firstPage={jobs.unsuccessful} />
          <HostRanking
            task={task}
            name={name}
            firstJobs={jobs.hosts}
            unsuccessful={countUnsuccessful(counts)}
          />
        </div>
      )}
      {jobs && (
        <section className="card">
          <h2>Progress over time</h2>
          <Plot points={jobs.timeline} />
          <Timing of={{ ...process, timeline: jobs.timeline }} />
        </section>
      )}
    </>
  );
}

import { type FormEvent, useMemo } from "react";
import { type Counts, countOf } from "../components/bar";
import { CopyButton } from "../components/copy-button";
import { ErrorNotice, Loading } from "../components/notice";
import { formatCompact, formatCount } from "../format";
import { JobMapDocument, type JobMapQuery } from "../generated/operations";
import { useLiveQuery } from "../live-query";
import { CELL_STATES, type CellState, decodeCells, indicesOf, type JobIndices } from "../map/cells";
import { JobMap } from "../map/job-map";
import { hrefOf, type Route } from "../route";
import { navigate, updateQuery } from "../router";
import { JOB_STATES, labelOf } from "../states";
import { HostRanking } from "./host-ranking";
import { UnsuccessfulJobs } from "./unsuccessful-jobs";

const LEGEND_STATES: readonly CellState[] = [...JOB_STATES, "LATE", "LOST"];
const MAX_SHOWN_CHARS = 160;

interface ArrayJobsProps {
  task: string;
  name: string;
  counts: Counts;
  route: Route;
}

function jobIndicesOf(data: JobMapQuery | undefined): JobIndices | undefined {
  const process = data?.process;
  return process && "jobCount" in process ? process : undefined;
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

/** The jobs of an array: the map, the unsuccessful jobs and their hosts. */
export function ArrayJobs({ task, name, counts, route }: ArrayJobsProps) {
  const { data, error, refresh } = useLiveQuery(JobMapDocument, { task, name }, [task]);
  const jobIndices = useMemo(() => jobIndicesOf(data), [data]);
  const cells = useMemo(() => (jobIndices ? decodeCells(jobIndices) : undefined), [jobIndices]);
  const requested = route.query.get("pick")?.toUpperCase();
  const picked = LEGEND_STATES.find((state) => state === requested) ?? null;
  const failed = countOf(counts, "FAILED") + countOf(counts, "TERMINATED");
  return (
    <>
      <section className="card" aria-labelledby="map">
        <div className="card-head">
          <h2 id="map">Map of {jobIndices ? formatCount(jobIndices.jobCount, "job") : "jobs"}</h2>
          {jobIndices && <OpenJobForm task={task} name={name} jobIndices={jobIndices} />}
        </div>
        {jobIndices && cells && (
          <>
            <MapLegend
              cells={cells}
              picked={picked}
              pick={(state) => updateQuery(route, { pick: state?.toLowerCase() ?? null }, true)}
            />
            {picked && (
              <PickedIndices state={picked} cells={cells} firstIndex={jobIndices.firstIndex} />
            )}
            <JobMap
              cells={cells}
              first={jobIndices.firstIndex}
              picked={picked}
              onOpen={(index) => navigate(hrefOf(["tasks", task, name, String(index)]))}
            />
          </>
        )}
        {!jobIndices &&
          (error ? <ErrorNotice error={error} retry={refresh} /> : <Loading rows={5} />)}
      </section>
      {failed > 0 && (
        <div className="columns">
          <UnsuccessfulJobs task={task} name={name} />
          <HostRanking task={task} name={name} failed={failed} />
        </div>
      )}
    </>
  );
}

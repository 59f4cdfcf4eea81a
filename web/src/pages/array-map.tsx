import { type FormEvent, type ReactNode, useMemo } from "react";
import { CopyButton } from "../components/copy-button";
import { useBodyHold } from "../components/held-body";
import { PauseButton } from "../components/hold-buttons";
import { IndexList } from "../components/index-list";
import { formatSelected } from "../failures/copy-form";
import { formatCompact, formatCount } from "../format";
import { CELL_STATES, type CellState, type JobIndices, LEGEND_STATES } from "../map/cells";
import { JobMap } from "../map/job-map";
import { hrefOf } from "../route";
import { navigate } from "../router";
import { labelOf } from "../states";

const MAX_SHOWN_CHARS = 160;

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
        <CopyButton key={label} label={label} text={() => formatSelected({ name, indices })} />
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
    <form className="go-to" data-search onSubmit={submit}>
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

interface ArrayMapProps {
  task: string;
  name: string;
  jobIndices: JobIndices;
  /** The cell of each job. */
  cells: Uint8Array;
  /** The same, with what is picked highlighted. */
  shownCells: Uint8Array;
  /** The state that is picked. */
  state: CellState | null;
  pick: (state: CellState | null) => void;
  /** The indices of what is picked; undefined for nothing. */
  indices: string | undefined;
  /** What the map shows; see {@link JobMap}. */
  place: string | null;
  onPlace: (place: string | null) => void;
  /** What is shown beside the heading. */
  children: ReactNode;
}

/** The map of an array, with a legend that highlights, and the indices of what is highlighted. */
export function ArrayMap(props: ArrayMapProps) {
  const { task, name, jobIndices, cells, shownCells, state, pick, indices, place, onPlace } = props;
  const label = state ? `Copy indices: ${labelOf(state)}` : "Copy the picked indices";
  return (
    <section className="card" aria-labelledby="map">
      <div className="card-head">
        <h2 id="map">Map of {formatCount(jobIndices.jobCount, "job")}</h2>
        <span className="hold">
          {props.children}
          <PauseButton hold={useBodyHold()} />
          <OpenJobForm task={task} name={name} jobIndices={jobIndices} />
        </span>
      </div>
      <MapLegend cells={cells} picked={state} pick={pick} />
      {indices !== undefined && <PickedIndices name={name} label={label} indices={indices} />}
      <JobMap
        cells={shownCells}
        first={jobIndices.firstIndex}
        onOpen={(index) => navigate(hrefOf(["tasks", task, name, String(index)]))}
        place={place}
        onPlace={onPlace}
      />
    </section>
  );
}

import { type FormEvent, useMemo } from "react";
import { JobMapDocument, type JobMapQuery } from "../generated/operations";
import { useLiveQuery } from "../live-query";
import { decode, indicesOfKind, KINDS, type Kind, type Listing } from "../map/cells";
import { JobMap } from "../map/map";
import { type Counts, countOf } from "../parts/bar";
import { Copy } from "../parts/copy";
import { Failure, Loading } from "../parts/notice";
import { go, href, type Place, refine } from "../router";
import { compact, count, JOB_STATES, word } from "../words";
import { FailingJobs } from "./failing-jobs";
import { Hosts } from "./hosts";

const LEGEND: readonly Kind[] = [...JOB_STATES, "LATE", "LOST"];
const SHOWN_INDICES = 160;

interface ArrayJobsProps {
  task: string;
  name: string;
  counts: Counts;
  place: Place;
}

function listingOf(data: JobMapQuery | undefined): Listing | undefined {
  const process = data?.process;
  return process && "jobCount" in process ? process : undefined;
}

function Legend({
  cells,
  picked,
  pick,
}: {
  cells: Uint8Array;
  picked: Kind | null;
  pick: (kind: Kind | null) => void;
}) {
  const counts = useMemo(() => {
    const found = new Uint32Array(KINDS.length);
    for (const code of cells) found[code] = (found[code] ?? 0) + 1;
    return found;
  }, [cells]);
  return (
    <fieldset className="toggles legend">
      <legend>Pick a state</legend>
      {LEGEND.map((kind) => {
        const jobs = counts[KINDS.indexOf(kind)] ?? 0;
        if (jobs === 0 && picked !== kind) return null;
        return (
          <button
            key={kind}
            type="button"
            className="toggle"
            aria-pressed={picked === kind}
            onClick={() => pick(picked === kind ? null : kind)}
          >
            <i className={`swatch fill-${kind.toLowerCase()}`} />
            {word(kind)} <strong>{compact(jobs)}</strong>
          </button>
        );
      })}
    </fieldset>
  );
}

/** The indices of what is picked, for `sbatch --array`, say. */
function Picked({
  kind,
  cells,
  firstIndex,
}: {
  kind: Kind;
  cells: Uint8Array;
  firstIndex: number;
}) {
  const text = useMemo(() => indicesOfKind(cells, kind, firstIndex), [cells, kind, firstIndex]);
  const short = text.length > SHOWN_INDICES ? `${text.slice(0, SHOWN_INDICES)} …` : text;
  return (
    <div className="picked">
      <code>{short || "none"}</code>
      {text !== "" && (
        <Copy key={kind} label={`Copy the indices: ${word(kind)}`} text={() => text} />
      )}
    </div>
  );
}

function GoTo({ task, name, listing }: { task: string; name: string; listing: Listing }) {
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const index = new FormData(event.currentTarget).get("index");
    if (typeof index === "string" && index !== "") go(href(["tasks", task, name, index]));
  };
  return (
    <form className="go-to" onSubmit={submit}>
      <label>
        Job{" "}
        <input
          type="number"
          name="index"
          required
          min={listing.firstIndex}
          max={listing.firstIndex + listing.jobCount - 1}
          placeholder="index"
        />
      </label>
      <button type="submit" className="button">
        Open
      </button>
    </form>
  );
}

/** The jobs of an array: their map, those that fail, and where they fail. */
export function ArrayJobs({ task, name, counts, place }: ArrayJobsProps) {
  const { data, error, refresh } = useLiveQuery(JobMapDocument, { task, name }, [task]);
  const listing = useMemo(() => listingOf(data), [data]);
  const cells = useMemo(() => (listing ? decode(listing) : undefined), [listing]);
  const asked = place.query.get("pick")?.toUpperCase();
  const picked = LEGEND.find((kind) => kind === asked) ?? null;
  const failed = countOf(counts, "FAILED") + countOf(counts, "TERMINATED");
  return (
    <>
      <section className="card" aria-labelledby="map">
        <div className="card-head">
          <h2 id="map">Map of {listing ? count(listing.jobCount, "job") : "jobs"}</h2>
          {listing && <GoTo task={task} name={name} listing={listing} />}
        </div>
        {listing && cells && (
          <>
            <Legend
              cells={cells}
              picked={picked}
              pick={(kind) => refine(place, { pick: kind?.toLowerCase() ?? null }, true)}
            />
            {picked && <Picked kind={picked} cells={cells} firstIndex={listing.firstIndex} />}
            <JobMap
              cells={cells}
              first={listing.firstIndex}
              picked={picked}
              onOpen={(index) => go(href(["tasks", task, name, String(index)]))}
            />
          </>
        )}
        {!listing && (error ? <Failure error={error} retry={refresh} /> : <Loading rows={5} />)}
      </section>
      {failed > 0 && (
        <div className="columns">
          <FailingJobs task={task} name={name} />
          <Hosts task={task} name={name} failed={failed} />
        </div>
      )}
    </>
  );
}

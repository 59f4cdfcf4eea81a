import { useEffect } from "react";
import { Badge } from "../components/badge";
import { CopyButton } from "../components/copy-button";
import { useBodyHold } from "../components/held-body";
import { Host } from "../components/host";
import { Time } from "../components/time";
import { ExportButtons } from "../export/export-buttons";
import { jobReader } from "../export/read-jobs";
import { fetchLostIndices } from "../failures/fetch-indices";
import { formatCount, formatNumber, formatPercent } from "../format";
import { type JobFilter, LostJobsDocument, type LostJobsQuery } from "../generated/operations";
import { useHeldRows } from "../held-rows";
import { commonDomain } from "../hosts";
import { useFetchedQuery } from "../live-query";
import { useKept } from "../place";
import { Link } from "../router";

const LOST: JobFilter = { liveness: "LOST" };
const SHOWN_AT_FIRST = 10;
const MAX_SHOWN = 50;
/** Shortest time between two requests, which are made every 20 s, too. */
const MIN_INTERVAL_MS = 10_000;

type LostJob = Extract<
  NonNullable<LostJobsQuery["process"]>,
  { jobs: unknown }
>["jobs"]["nodes"][number];

function keyOf({ id }: LostJob): string {
  return id;
}

interface RowProps {
  task: string;
  name: string;
  job: LostJob;
  /** The domain that all hosts are in. */
  domain: string;
  isGone: boolean;
}

function Row({ task, name, job, domain, isGone }: RowProps) {
  return (
    <tr className={isGone ? "is-gone" : undefined}>
      <td>
        <Link path={["tasks", task, name, String(job.index)]} className="name">
          {job.index}
        </Link>
      </td>
      <td>
        <Host name={job.hostname} domain={domain} />
      </td>
      <td>{job.lastEventClass && <Badge name={job.lastEventClass} />}</td>
      <td>
        {job.lastEventAt && (
          <>
            <Time at={job.lastEventAt} />{" "}
            <span className="quiet">
              <Time at={job.lastEventAt} as="relative" />
            </span>
          </>
        )}
      </td>
      <td className="number" data-name="progress">
        {job.progress?.ratio ? formatPercent(job.progress.ratio) : null}
      </td>
    </tr>
  );
}

interface LostJobsProps {
  task: string;
  /** The name of the array. */
  name: string;
  /** How many jobs of the array are lost. */
  count: number;
}

/** The lost jobs of an array: where they ran, and what was heard of them last. Nothing without any. */
export function LostJobs({ task, name, count }: LostJobsProps) {
  const [isOpen, setOpen] = useKept("lost-jobs", false);
  const variables = { task, name, first: MAX_SHOWN };
  const { data, changed } = useFetchedQuery(LostJobsDocument, variables, {
    minIntervalMs: MIN_INTERVAL_MS,
    enabled: count > 0,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: which jobs are lost changes with their number
  useEffect(changed, [count, changed]);
  const jobs = data?.process && "jobs" in data.process ? data.process.jobs : undefined;
  const held = useHeldRows(jobs?.nodes ?? [], keyOf, useBodyHold().isHeld);
  if (jobs === undefined || held.rows.length === 0) return null;
  const domain = commonDomain(held.rows.map(({ hostname }) => hostname));
  const shown = isOpen ? held.rows : held.rows.slice(0, SHOWN_AT_FIRST);
  const others = jobs.totalCount - jobs.nodes.length;
  return (
    <section className="card" aria-labelledby="lost">
      <div className="card-head">
        <h2 id="lost">
          Lost jobs <span className="quiet total">{formatNumber(jobs.totalCount)}</span>
        </h2>
        <CopyButton
          label={`Copy ${formatNumber(jobs.totalCount)} lost ${jobs.totalCount === 1 ? "index" : "indices"}`}
          text={() => fetchLostIndices(task, name)}
        />
      </div>
      <p className="quiet">They run, but nothing was heard of them for five beat intervals.</p>
      <div className="scroll">
        <table className="jobs lost">
          <thead>
            <tr>
              <th scope="col">Job</th>
              <th scope="col">Host</th>
              <th scope="col">Last sign</th>
              <th scope="col">Time</th>
              <th scope="col" className="number">
                Progress
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map((job) => (
              <Row
                key={job.id}
                task={task}
                name={name}
                job={job}
                domain={domain}
                isGone={held.gone.has(job.id)}
              />
            ))}
          </tbody>
        </table>
      </div>
      {shown.length < held.rows.length && (
        <button type="button" className="button start" onClick={() => setOpen(true)}>
          Show {formatNumber(held.rows.length)} jobs
        </button>
      )}
      {isOpen && others > 0 && <p className="quiet">and {formatCount(others, "more lost job")}</p>}
      <ExportButtons name={[task, name, "lost"]} readPage={jobReader(task, name, LOST)} />
    </section>
  );
}

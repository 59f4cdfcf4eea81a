import { type ReactNode, useState } from "react";
import { Badge } from "../components/badge";
import { Host } from "../components/host";
import { ErrorNotice, Loading } from "../components/notice";
import { Time } from "../components/time";
import { ExportButtons } from "../export/export-buttons";
import { jobReader } from "../export/read-jobs";
import { describeCause } from "../failures/cause";
import { formatNumber } from "../format";
import { type JobFilter, JobsDocument, type JobsQuery } from "../generated/operations";
import { commonDomain } from "../hosts";
import { useLiveQuery } from "../live-query";
import { payloadMessage } from "../payload";
import { Link } from "../router";

/** Jobs on a page of the table. */
export const PAGE_SIZE = 15;
/** Shortest time between two requests for a page that is not the first. */
const MIN_INTERVAL_MS = 10_000;

/** A page of jobs. */
export type Jobs = Extract<NonNullable<JobsQuery["process"]>, { jobs: unknown }>["jobs"];

type Job = Jobs["nodes"][number];

/** Why a job ended or is held. Clients that told no cause may have sent it as payload. */
function reasonOf(job: Job): string {
  return describeCause(job) || payloadMessage(job.ending.nodes[0]?.payload);
}

interface RowProps {
  task: string;
  name: string;
  job: Job;
  /** The domain that all hosts of the page have in common. */
  domain: string;
}

function Row({ task, name, job, domain }: RowProps) {
  const reason = reasonOf(job);
  return (
    <tr>
      <td>
        <Link path={["tasks", task, name, String(job.index)]} className="name">
          {job.index}
        </Link>
      </td>
      <td>
        <Badge name={job.state} />
      </td>
      <td className="host-cell">
        <Host name={job.hostname} domain={domain} />
      </td>
      <td>{job.lastEventAt && <Time at={job.lastEventAt} />}</td>
      <td className="message" title={reason}>
        <span className={reason ? undefined : "quiet"}>{reason || "no message"}</span>
      </td>
    </tr>
  );
}

interface JobTableProps {
  task: string;
  name: string;
  title: string;
  /** The id of the heading, and the class of the table. */
  id: string;
  filter: JobFilter;
  /** The first page, up to date; undefined until it is loaded. */
  firstPage: Jobs | undefined;
  /** What is shown below the heading. */
  children?: ReactNode;
}

/** Jobs of an array that match a filter, page by page, and why they ended or are held. */
export function JobTable({ task, name, title, id, filter, firstPage, children }: JobTableProps) {
  /** The cursors at which the pages after the first one begin, up to the one that is shown. */
  const [cursors, setCursors] = useState<readonly (string | null)[]>([]);
  const { data, error, refresh } = useLiveQuery(
    JobsDocument,
    { task, name, first: PAGE_SIZE, after: cursors.at(-1) ?? null, filter },
    [task],
    { minIntervalMs: MIN_INTERVAL_MS, enabled: cursors.length > 0 },
  );
  const laterPage = data?.process && "jobs" in data.process ? data.process.jobs : undefined;
  const jobs = cursors.length > 0 ? laterPage : firstPage;
  const domain = commonDomain(jobs?.nodes.map(({ hostname }) => hostname) ?? []);
  return (
    <section className="card wide" aria-labelledby={id}>
      <h2 id={id}>
        {title} {jobs && <span className="quiet total">{formatNumber(jobs.totalCount)}</span>}
      </h2>
      {children}
      {!jobs && (error ? <ErrorNotice error={error} retry={refresh} /> : <Loading rows={3} />)}
      {jobs && (
        <div className="scroll">
          <table className={`jobs ${id}`}>
            <thead>
              <tr>
                <th scope="col">Job</th>
                <th scope="col">State</th>
                <th scope="col">Host</th>
                <th scope="col">Time</th>
                <th scope="col">Message</th>
              </tr>
            </thead>
            <tbody>
              {jobs.nodes.map((job) => (
                <Row key={job.id} task={task} name={name} job={job} domain={domain} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {jobs && (jobs.pageInfo.hasNextPage || cursors.length > 0) && (
        <nav className="pager" aria-label={`Pages of ${title.toLowerCase()}`}>
          <button
            type="button"
            className="button"
            disabled={cursors.length === 0}
            onClick={() => setCursors(cursors.slice(0, -1))}
          >
            ← Previous
          </button>
          <button
            type="button"
            className="button"
            disabled={!jobs.pageInfo.hasNextPage}
            onClick={() => setCursors([...cursors, jobs.pageInfo.endCursor])}
          >
            Next →
          </button>
        </nav>
      )}
      {jobs && <ExportButtons name={[task, name, id]} readPage={jobReader(task, name, filter)} />}
    </section>
  );
}

import { useState } from "react";
import { Badge } from "../components/badge";
import { ErrorNotice, Loading } from "../components/notice";
import { Time } from "../components/time";
import { formatNumber } from "../format";
import { type ArrayJobsQuery, JobsDocument } from "../generated/operations";
import { useLiveQuery } from "../live-query";
import { payloadMessage } from "../payload";
import { Link } from "../router";
import { UNSUCCESSFUL } from "../states";

/** Jobs on a page of the table. */
export const PAGE_SIZE = 15;
/** Shortest time between two requests for a page that is not the first. */
const MIN_INTERVAL_MS = 10_000;

type JobArray = Extract<NonNullable<ArrayJobsQuery["process"]>, { jobCount: number }>;

interface UnsuccessfulJobsProps {
  task: string;
  name: string;
  /** The first page, up to date. */
  firstPage: JobArray["unsuccessful"];
}

/** The jobs of an array that ended without success, with the message of their last event. */
export function UnsuccessfulJobs({ task, name, firstPage }: UnsuccessfulJobsProps) {
  /** The cursors at which the pages after the first one begin, up to the one that is shown. */
  const [cursors, setCursors] = useState<readonly (string | null)[]>([]);
  const { data, error, refresh } = useLiveQuery(
    JobsDocument,
    {
      task,
      name,
      first: PAGE_SIZE,
      after: cursors.at(-1) ?? null,
      filter: { states: [...UNSUCCESSFUL] },
    },
    [task],
    { minIntervalMs: MIN_INTERVAL_MS, enabled: cursors.length > 0 },
  );
  const laterPage = data?.process && "jobs" in data.process ? data.process.jobs : undefined;
  const jobs = cursors.length > 0 ? laterPage : firstPage;
  return (
    <section className="card wide" aria-labelledby="unsuccessful">
      <h2 id="unsuccessful">
        Unsuccessful jobs{" "}
        {jobs && <span className="quiet total">{formatNumber(jobs.totalCount)}</span>}
      </h2>
      {!jobs && (error ? <ErrorNotice error={error} retry={refresh} /> : <Loading rows={3} />)}
      {jobs && (
        <div className="scroll">
          <table className="unsuccessful">
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
              {jobs.nodes.map((job) => {
                const message = payloadMessage(job.ending.nodes[0]?.payload);
                return (
                  <tr key={job.id}>
                    <td>
                      <Link path={["tasks", task, name, String(job.index)]} className="name">
                        {job.index}
                      </Link>
                    </td>
                    <td>
                      <Badge name={job.state} />
                    </td>
                    <td className="host">{job.hostname ?? "–"}</td>
                    <td>{job.lastEventAt && <Time at={job.lastEventAt} />}</td>
                    <td className="message" title={message}>
                      <span className={message ? undefined : "quiet"}>
                        {message || "no message"}
                      </span>
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
      {jobs && (jobs.pageInfo.hasNextPage || cursors.length > 0) && (
        <nav className="pager" aria-label="Pages of unsuccessful jobs">
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
    </section>
  );
}

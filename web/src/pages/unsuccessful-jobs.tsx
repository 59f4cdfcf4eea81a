import { useState } from "react";
import { Badge } from "../components/badge";
import { ErrorNotice, Loading } from "../components/notice";
import { Time } from "../components/time";
import { formatNumber } from "../format";
import { JobsDocument } from "../generated/operations";
import { useLiveQuery } from "../live-query";
import { payloadMessage } from "../payload";
import { Link } from "../router";
import { UNSUCCESSFUL } from "../states";

const PAGE_SIZE = 15;

/** The jobs of an array that ended without success, with the message of their last event. */
export function UnsuccessfulJobs({ task, name }: { task: string; name: string }) {
  const [cursors, setCursors] = useState<readonly (string | null)[]>([null]);
  const after = cursors.at(-1) ?? null;
  const filter = { states: [...UNSUCCESSFUL] };
  const { data, error, refresh } = useLiveQuery(
    JobsDocument,
    { task, name, first: PAGE_SIZE, after, filter },
    [task],
  );
  const jobs = data?.process && "jobs" in data.process ? data.process.jobs : undefined;
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
      {jobs && (jobs.pageInfo.hasNextPage || cursors.length > 1) && (
        <nav className="pager" aria-label="Pages of unsuccessful jobs">
          <button
            type="button"
            className="button"
            disabled={cursors.length === 1}
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

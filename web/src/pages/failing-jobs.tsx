import { useState } from "react";
import { JobsDocument } from "../generated/operations";
import { useLiveQuery } from "../live-query";
import { Badge } from "../parts/badge";
import { Failure, Loading } from "../parts/notice";
import { Link } from "../router";
import { Time } from "../time";
import { FAILING, messageOf, number } from "../words";

const PAGE = 15;

/** The jobs of an array that ended without success, with their last words. */
export function FailingJobs({ task, name }: { task: string; name: string }) {
  const [cursors, setCursors] = useState<readonly (string | null)[]>([null]);
  const after = cursors.at(-1) ?? null;
  const filter = { states: [...FAILING] };
  const { data, error, refresh } = useLiveQuery(
    JobsDocument,
    { task, name, first: PAGE, after, filter },
    [task],
  );
  const jobs = data?.process && "jobs" in data.process ? data.process.jobs : undefined;
  return (
    <section className="card wide" aria-labelledby="failing">
      <h2 id="failing">
        Failing jobs {jobs && <span className="quiet total">{number(jobs.totalCount)}</span>}
      </h2>
      {!jobs && (error ? <Failure error={error} retry={refresh} /> : <Loading rows={3} />)}
      {jobs && (
        <div className="scroll">
          <table className="failing">
            <thead>
              <tr>
                <th scope="col">Job</th>
                <th scope="col">State</th>
                <th scope="col">Host</th>
                <th scope="col">When</th>
                <th scope="col">Last message</th>
              </tr>
            </thead>
            <tbody>
              {jobs.nodes.map((job) => {
                const message = messageOf(job.ending.nodes[0]?.payload);
                return (
                  <tr key={job.id}>
                    <td>
                      <Link path={["tasks", task, name, String(job.index)]} className="name">
                        {job.index}
                      </Link>
                    </td>
                    <td>
                      <Badge sign={job.state} />
                    </td>
                    <td className="host">{job.hostname ?? "–"}</td>
                    <td>{job.lastEventAt && <Time at={job.lastEventAt} />}</td>
                    <td className="message" title={message}>
                      <span className={message ? undefined : "quiet"}>
                        {message || "said nothing"}
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
        <nav className="pager" aria-label="Pages of failing jobs">
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

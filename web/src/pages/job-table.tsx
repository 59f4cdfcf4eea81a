import { type ReactNode, useEffect, useState } from "react";
import { Badge } from "../components/badge";
import { useBodyHold } from "../components/held-body";
import { NewRows } from "../components/hold-buttons";
import { Host } from "../components/host";
import { ErrorNotice, Loading } from "../components/notice";
import { Time } from "../components/time";
import { ExportButtons } from "../export/export-buttons";
import { jobReader } from "../export/read-jobs";
import { describeCause } from "../failures/cause";
import { formatNumber } from "../format";
import { type JobFilter, JobsDocument, type JobsQuery } from "../generated/operations";
import { useHeldRows } from "../held-rows";
import { commonDomain } from "../hosts";
import { useLiveQuery } from "../live-query";
import { payloadMessage } from "../payload";
import { hrefWith, type Route } from "../route";
import { Link, navigate } from "../router";

/** Jobs on a page of the table. */
export const PAGE_SIZE = 15;
/** Shortest time between two requests for a page that is not the first. */
const MIN_INTERVAL_MS = 10_000;

type Page = Extract<NonNullable<JobsQuery["process"]>, { jobs: unknown }>["jobs"];

/** The first page of jobs. */
export type Jobs = Omit<Page, "pageInfo"> & {
  pageInfo: Pick<Page["pageInfo"], "hasNextPage" | "endCursor">;
};

type Job = Page["nodes"][number];

function keyOf({ id }: Job): string {
  return id;
}

/** Why a job ended or is held. Clients that told no cause may have sent it as payload. */
function reasonOf(job: Job): string {
  return describeCause(job) || payloadMessage(job.ending.nodes[0]?.payload);
}

interface RowProps {
  task: string;
  name: string;
  job: Job;
  /** The query parameters of the page of the job. */
  query: URLSearchParams;
  /** The domain that all hosts of the page have in common. */
  domain: string;
  isGone: boolean;
}

function Row({ task, name, job, query, domain, isGone }: RowProps) {
  const reason = reasonOf(job);
  return (
    <tr className={isGone ? "is-gone" : undefined}>
      <td>
        <Link path={["tasks", task, name, String(job.index)]} query={query} className="name">
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

/** The cursor of the page in the address, which may be shared; null on the first page. */
function cursorOf({ query }: Route, id: string) {
  const after = query.get(`${id}-after`);
  const before = query.get(`${id}-before`);
  if (after === null && before === null) return null;
  return before === null
    ? { first: PAGE_SIZE, after, last: null, before: null }
    : { first: null, after: null, last: PAGE_SIZE, before };
}

/** The query parameters of the first page of a table; see {@link JobTable}. */
export function firstPageOf(id: string): Record<string, null> {
  return { [`${id}-after`]: null, [`${id}-before`]: null };
}

interface JobTableProps {
  task: string;
  name: string;
  title: string;
  /** The id of the heading, the class of the table, and the prefix of its query parameters. */
  id: string;
  filter: JobFilter;
  /** The first page, up to date; undefined until it is loaded. */
  firstPage: Jobs | undefined;
  route: Route;
  /** The query parameters of the pages of its jobs. */
  jobQuery: URLSearchParams;
  /** What is shown below the heading. */
  children?: ReactNode;
}

/**
 * Jobs of an array that match a filter, and why they ended or are held. Their page is in the
 * address. No row moves while the body of the page is held.
 */
export function JobTable(props: JobTableProps) {
  const { task, name, title, id, filter, firstPage, route, jobQuery, children } = props;
  const cursor = cursorOf(route, id);
  const { data, error, refresh } = useLiveQuery(
    JobsDocument,
    { task, name, filter, ...(cursor ?? { first: PAGE_SIZE }) },
    [task],
    { minIntervalMs: MIN_INTERVAL_MS, enabled: cursor !== null },
  );
  const laterPage = data?.process && "jobs" in data.process ? data.process.jobs : undefined;
  const loaded = cursor === null ? firstPage : laterPage;
  // The page that is left is shown until the next one is there.
  const [latest, setLatest] = useState(loaded);
  if (loaded !== undefined && loaded !== latest) setLatest(loaded);
  const jobs = loaded ?? latest;
  const hold = useBodyHold();
  const scope = JSON.stringify([cursor, loaded === undefined]);
  const held = useHeldRows(jobs?.nodes ?? [], keyOf, hold.isHeld, scope);
  const domain = commonDomain(held.rows.map(({ hostname }) => hostname));
  const turn = (edge: "after" | "before", to: string | null) =>
    navigate(hrefWith(route, { ...firstPageOf(id), [`${id}-${edge}`]: to }), true);

  const hasPrevious = cursor !== null && laterPage?.pageInfo.hasPreviousPage !== false;
  const isFirst = cursor !== null && laterPage?.pageInfo.hasPreviousPage === false;
  // The first page is kept up to date at no further cost.
  // biome-ignore lint/correctness/useExhaustiveDependencies: only on arriving there
  useEffect(() => {
    if (isFirst) turn("after", null);
  }, [isFirst]);
  return (
    <section className="card" aria-labelledby={id}>
      <div className="card-head">
        <h2 id={id}>
          {title} {jobs && <span className="quiet total">{formatNumber(jobs.totalCount)}</span>}
        </h2>
        <NewRows held={held} what="jobs" />
      </div>
      {children}
      {!loaded && error && <ErrorNotice error={error} retry={refresh} />}
      {!loaded && error && cursor !== null && (
        <button type="button" className="button start" onClick={() => turn("after", null)}>
          First page
        </button>
      )}
      {!jobs && !error && <Loading rows={3} />}
      {jobs && (
        <div className="scroll" aria-busy={loaded === undefined}>
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
              {held.rows.map((job) => (
                <Row
                  key={job.id}
                  task={task}
                  name={name}
                  job={job}
                  query={jobQuery}
                  domain={domain}
                  isGone={held.gone.has(job.id)}
                />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {jobs && (jobs.pageInfo.hasNextPage || cursor !== null) && (
        <nav className="pager" aria-label={`Pages of ${title.toLowerCase()}`}>
          <button
            type="button"
            className="button"
            disabled={!hasPrevious || !laterPage}
            onClick={() => turn("before", laterPage?.pageInfo.startCursor ?? null)}
          >
            ← Previous
          </button>
          <button
            type="button"
            className="button"
            disabled={!jobs.pageInfo.hasNextPage || loaded === undefined}
            onClick={() => turn("after", jobs.pageInfo.endCursor)}
          >
            Next →
          </button>
        </nav>
      )}
      {jobs && <ExportButtons name={[task, name, id]} readPage={jobReader(task, name, filter)} />}
    </section>
  );
}

import { JobDocument, type JobQuery } from "../generated/operations";
import { useJobEvents } from "../job-events";
import { useLiveQuery } from "../live-query";
import { Badge } from "../parts/badge";
import { ProgressBar } from "../parts/bar";
import { Facts } from "../parts/facts";
import { Failure, Loading, Notice } from "../parts/notice";
import { Link } from "../router";
import { Span, Time } from "../time";
import { basisInWords, number, percent } from "../words";
import { EventStream } from "./event-stream";
import { LifeLine } from "./life-line";

type Job = NonNullable<JobQuery["job"]>;

function JobHead({ job }: { job: Job }) {
  const { progress } = job;
  const ended = job.finishedAt !== null;
  return (
    <header className="page-head">
      <div className="page-title">
        <h1>
          {job.process.name} {job.index !== null && <span className="index">{job.index}</span>}
        </h1>
        <span className="badges">
          <Badge sign={job.state} />
          {job.liveness && <Badge sign={job.liveness} />}
        </span>
      </div>
      {progress && (
        <div className="summary">
          <span className="figure">
            {progress.ratio === null ? number(progress.current) : percent(progress.ratio)}
          </span>
          <div className="summary-bars">
            {progress.ratio !== null && (
              <ProgressBar ratio={progress.ratio} label="Progress of the job" />
            )}
            <span className="quiet">
              {progress.target === null ? "as the job reports" : basisInWords(progress, false)}
            </span>
          </div>
        </div>
      )}
      <Facts
        facts={[
          ["Host", job.hostname],
          ["Attempts", job.starts > 0 ? number(job.starts) : null],
          ["Started", job.startedAt && <Time at={job.startedAt} />],
          [
            ended ? "Took" : "Running for",
            job.startedAt && <Span from={job.startedAt} to={job.finishedAt} />,
          ],
          ["Finished", job.finishedAt && <Time at={job.finishedAt} />],
          ["Last heard of", job.lastEventAt && <Time at={job.lastEventAt} as="distance" />],
        ]}
      />
    </header>
  );
}

interface JobPageProps {
  task: string;
  process: string;
  /** Null for a solitary process. */
  index: number | null;
}

/** One job: its life line, what it reported, and its events as they come. */
export function JobPage({ task, process, index }: JobPageProps) {
  const address = { task, process, index };
  const { data, error, refresh } = useLiveQuery(JobDocument, address, [task]);
  const events = useJobEvents(address);
  const job = data?.job;
  const name = index === null ? process : `${process} ${index}`;
  return (
    <>
      <title>{`${name} · ${task} · lamia`}</title>
      <nav className="crumbs" aria-label="Where this is">
        <Link path={[]}>Tasks</Link>
        <Link path={["tasks", task]}>{task}</Link>
        {index !== null && <Link path={["tasks", task, process]}>{process}</Link>}
      </nav>
      {job && (
        <>
          <JobHead job={job} />
          {events.total > 0 && (
            <section className="card">
              <h2>Life</h2>
              <LifeLine
                events={[...events.earlier, ...events.latest]}
                isPercent={job.process.threshold === null}
                ended={job.finishedAt !== null}
              />
            </section>
          )}
          <EventStream events={events} />
        </>
      )}
      {data && job === null && (
        <Notice title="There is no such job">
          <p>
            “{process}” of the task “{task}” has no job {index ?? ""}.
          </p>
        </Notice>
      )}
      {!data && (error ? <Failure error={error} retry={refresh} /> : <Loading rows={6} />)}
    </>
  );
}

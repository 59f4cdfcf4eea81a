import { ProcessDocument, type ProcessQuery } from "../generated/operations";
import { useLiveQuery } from "../live-query";
import { Badge, OutlookBadge } from "../parts/badge";
import { JobsBar, JobsLegend, ProgressBar } from "../parts/bar";
import { Failure, Loading, Notice } from "../parts/notice";
import { Plot } from "../parts/plot";
import { Link, type Place } from "../router";
import { basisInWords, percent } from "../words";
import { ArrayJobs } from "./array-jobs";
import { JobPage } from "./job";
import { Failures } from "./process-list";
import { Pace } from "./task";

const POINTS = 90;

type Process = NonNullable<ProcessQuery["process"]>;

function ArrayHead({ task, process }: { task: string; process: Process }) {
  const ended = process.state === "SUCCEEDED" || process.state === "FAILED";
  const ratio = process.progress?.ratio ?? null;
  return (
    <header className="page-head">
      <div className="page-title">
        <h1>{process.name}</h1>
        <span className="badges">
          <Badge sign={process.state} />
          <OutlookBadge outlook={process.outlook} ended={ended} />
          {process.enough && <span className="badge">enough: jobs may stop</span>}
        </span>
      </div>
      <div className="summary">
        <span className="figure">{ratio === null ? "–" : percent(ratio)}</span>
        <div className="summary-bars">
          <ProgressBar ratio={ratio} label="Progress of the array" />
          <span className="quiet">{basisInWords(process.progress, true)}</span>
          <JobsBar counts={process.counts} />
          <p className="jobs-legend">
            <JobsLegend counts={process.counts} />
          </p>
        </div>
      </div>
      <Failures task={task} process={process} />
    </header>
  );
}

/** One process: an array with its map of jobs, or a solitary process, which is its one job. */
export function ProcessPage({ task, name, place }: { task: string; name: string; place: Place }) {
  const { data, error, refresh } = useLiveQuery(ProcessDocument, { task, name, points: POINTS }, [
    task,
  ]);
  const process = data?.process;
  if (process?.kind === "SOLITARY") return <JobPage task={task} process={name} index={null} />;
  return (
    <>
      <title>{`${name} · ${task} · lamia`}</title>
      <nav className="crumbs" aria-label="Where this is">
        <Link path={[]}>Tasks</Link>
        <Link path={["tasks", task]}>{task}</Link>
      </nav>
      {process && (
        <>
          <ArrayHead task={task} process={process} />
          <ArrayJobs task={task} name={name} counts={process.counts} place={place} />
          <section className="card">
            <h2>Over time</h2>
            <Plot points={process.timeline} />
            <Pace of={process} />
          </section>
        </>
      )}
      {data && data.process === null && (
        <Notice title="There is no such process">
          <p>
            The task “{task}” has no process “{name}”, or is not there any more.
          </p>
        </Notice>
      )}
      {!data && (error ? <Failure error={error} retry={refresh} /> : <Loading rows={6} />)}
    </>
  );
}

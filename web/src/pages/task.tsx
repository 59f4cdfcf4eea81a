import { Badge, OutlookBadge, Tags } from "../components/badge";
import { JobsBar, JobsLegend, ProgressBar } from "../components/bar";
import { FactList } from "../components/fact-list";
import { JsonDetails } from "../components/json";
import { ErrorNotice, Loading, Notice } from "../components/notice";
import { Plot } from "../components/plot";
import { Duration, Time } from "../components/time";
import { causeParameters, parseCause } from "../failures/cause";
import { FailedProcesses } from "../failures/failed-processes";
import { FailureList, MAX_CAUSES, MAX_HOSTS } from "../failures/failure-list";
import { fetchTaskFailures } from "../failures/fetch-indices";
import { formatCount, formatPercent, formatRate } from "../format";
import { TaskDocument, type TaskQuery } from "../generated/operations";
import { useLiveQuery } from "../live-query";
import { recentRate } from "../rate";
import type { Route } from "../route";
import { Link, updateQuery } from "../router";
import { ProcessList } from "./process-list";

const TIMELINE_POINTS = 90;

type Task = NonNullable<TaskQuery["task"]>;

/** Start, duration, rate and estimated finish of a task or process. */
export function Timing({
  of,
}: {
  of: Pick<Task, "timeline" | "startedAt" | "finishedAt" | "estimatedFinishAt">;
}) {
  const rate = recentRate(of.timeline);
  return (
    <FactList
      facts={[
        ["Started", of.startedAt && <Time at={of.startedAt} />],
        [
          of.finishedAt ? "Duration" : "Running for",
          of.startedAt && <Duration from={of.startedAt} to={of.finishedAt} />,
        ],
        ["Recent rate", of.finishedAt || rate === null ? null : formatRate(rate)],
        ["Finished", of.finishedAt && <Time at={of.finishedAt} />],
        [
          "Estimated finish",
          of.finishedAt
            ? null
            : of.estimatedFinishAt && (
                <>
                  <Time at={of.estimatedFinishAt} />{" "}
                  <span className="quiet">
                    <Time at={of.estimatedFinishAt} as="relative" />
                  </span>
                </>
              ),
        ],
      ]}
    />
  );
}

function About({ task }: { task: Task }) {
  return (
    <section className="card">
      <h2>About</h2>
      {task.comment && <p className="comment">{task.comment}</p>}
      <FactList
        facts={[
          ["User", task.username],
          ["E-mail", task.email && <a href={`mailto:${task.email}`}>{task.email}</a>],
          ["Submitted", <Time key="at" at={task.submittedAt} />],
          ["Submitted from", task.hostname],
          ["Client address", task.clientAddress],
          ["Tags", task.tags.length > 0 ? <Tags key="tags" tags={task.tags} /> : null],
        ]}
      />
      <JsonDetails title="Config" value={task.config} />
      <JsonDetails title="Dependencies" value={task.dependencies} />
    </section>
  );
}

function TaskDetails({ task, route }: { task: Task; route: Route }) {
  const cause = parseCause(route.query);
  return (
    <>
      <header className="page-head">
        <div className="page-title">
          <h1>{task.name}</h1>
          <span className="badges">
            <Badge name={task.state} />
            <OutlookBadge outlook={task.outlook} ended={task.finishedAt !== null} />
          </span>
        </div>
        <div className="summary">
          <span className="figure">{formatPercent(task.progress.ratio ?? 0)}</span>
          <div className="summary-bars">
            <ProgressBar ratio={task.progress.ratio} label="Progress of the task" />
            <JobsBar counts={task.counts} />
            <p className="jobs-legend">
              <JobsLegend counts={task.counts} />
            </p>
          </div>
        </div>
      </header>
      <FailureList
        total={task.failures}
        causes={task.causes}
        picked={cause}
        pick={(next) => updateQuery(route, causeParameters(next), true)}
        indices={(cause) => fetchTaskFailures(task.name, cause)}
        details={cause && <FailedProcesses task={task.name} cause={cause} />}
      />
      <section aria-labelledby="processes">
        <h2 id="processes">{formatCount(task.processes.totalCount, "process", "processes")}</h2>
        <ProcessList task={task.name} processes={task.processes.nodes} />
      </section>
      <div className="columns">
        <section className="card wide">
          <h2>Progress over time</h2>
          <Plot points={task.timeline} of={{ task: task.name }} />
          <Timing of={task} />
        </section>
        <About task={task} />
      </div>
    </>
  );
}

/** One task: its processes, its timeline and its metadata. */
export function TaskPage({ name, route }: { name: string; route: Route }) {
  const shown = { points: TIMELINE_POINTS, groups: MAX_CAUSES, hosts: MAX_HOSTS };
  const { data, error, refresh } = useLiveQuery(TaskDocument, { name, ...shown }, [name]);
  return (
    <>
      <title>{`${name} · lamia`}</title>
      <nav className="crumbs" aria-label="Breadcrumb">
        <Link path={[]}>Tasks</Link>
      </nav>
      {data?.task && <TaskDetails task={data.task} route={route} />}
      {data && data.task === null && (
        <Notice title="Task not found">
          <p>There is no task named “{name}”. It may have been deleted.</p>
        </Notice>
      )}
      {!data && (error ? <ErrorNotice error={error} retry={refresh} /> : <Loading rows={6} />)}
    </>
  );
}

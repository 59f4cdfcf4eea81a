import { Badge, OutlookBadge, StalledBadge, Tags } from "../components/badge";
import { JobsBar, JobsLegend, ProgressBar } from "../components/bar";
import { FactList } from "../components/fact-list";
import { HeldBody } from "../components/held-body";
import { FullHost } from "../components/host";
import { JsonDetails } from "../components/json";
import { LinkedText } from "../components/linked-text";
import { ErrorNotice, Loading, Notice } from "../components/notice";
import { Plot } from "../components/plot";
import { Time } from "../components/time";
import { Pace, Timing } from "../components/timing";
import { causeParameters, parseCause } from "../failures/cause";
import { FailedProcesses } from "../failures/failed-processes";
import { FailureList } from "../failures/failure-list";
import { fetchTaskFailures } from "../failures/fetch-indices";
import { formatPercent } from "../format";
import type { TaskQuery } from "../generated/operations";
import type { Route } from "../route";
import { Link, updateQuery } from "../router";
import { AddressFaults } from "./address-faults";
import { TASK_PARAMETERS } from "./address-parameters";
import { LostProcesses } from "./lost-processes";
import { partOfTime } from "./part-of-time";
import { ProcessList } from "./process-list";
import { useTask } from "./task-data";

/** More processes are below the chart, so that it is found. */
const MAX_SHORT = 10;

type Task = NonNullable<TaskQuery["task"]>;

function About({ task }: { task: Task }) {
  return (
    <section className="card">
      <h2>About</h2>
      {task.comment && (
        <p className="comment">
          <LinkedText text={task.comment} />
        </p>
      )}
      <FactList
        facts={[
          ["User", task.username],
          ["E-mail", task.email && <a href={`mailto:${task.email}`}>{task.email}</a>],
          ["Submitted", <Time key="at" at={task.submittedAt} />],
          ["Submitted from", task.hostname && <FullHost name={task.hostname} />],
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
  const { nodes } = task.processes;
  const ended = task.finishedAt !== null;
  const processes = (
    <ProcessList
      task={task.name}
      processes={nodes}
      dependencies={task.dependencies}
      route={route}
    />
  );
  return (
    <>
      <header className="page-head">
        <div className="page-title">
          <h1>{task.name}</h1>
          <span className="badges">
            <Badge name={task.state} />
            <OutlookBadge outlook={task.outlook} counts={task.counts} ended={ended} />
            <StalledBadge since={task.stalledSince} />
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
            <Pace of={task} ended={ended} />
          </div>
        </div>
      </header>
      <HeldBody>
        <FailureList
          total={task.failures}
          causes={task.causes}
          picked={cause}
          pick={(next) => updateQuery(route, causeParameters(next), true)}
          indices={(cause) => fetchTaskFailures(task.name, cause)}
          details={cause && <FailedProcesses task={task.name} cause={cause} />}
        />
        <LostProcesses task={task.name} processes={nodes} />
        {nodes.length <= MAX_SHORT && processes}
        <div className="columns">
          <section className="card">
            <h2>Progress over time</h2>
            <Plot
              points={task.timeline}
              of={{ task: task.name }}
              stalledSince={task.stalledSince}
              part={partOfTime(route)}
            />
            <Timing of={task} />
          </section>
          <About task={task} />
        </div>
        {nodes.length > MAX_SHORT && processes}
      </HeldBody>
    </>
  );
}

/** One task: its processes, its timeline and its metadata. */
export function TaskPage({ name, route }: { name: string; route: Route }) {
  const { data, error, refresh } = useTask(name);
  return (
    <>
      <title>{`${name} · lamia`}</title>
      <nav className="crumbs" aria-label="Breadcrumb">
        <Link path={[]}>Tasks</Link>
      </nav>
      <AddressFaults route={route} parameters={TASK_PARAMETERS} />
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

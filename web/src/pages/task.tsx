import { TaskDocument, type TaskQuery } from "../generated/operations";
import { useLiveQuery } from "../live-query";
import { Badge, OutlookBadge, Tags } from "../parts/badge";
import { JobsBar, JobsLegend, ProgressBar } from "../parts/bar";
import { Facts } from "../parts/facts";
import { Json } from "../parts/json";
import { Failure, Loading, Notice } from "../parts/notice";
import { Plot } from "../parts/plot";
import { recentRate } from "../rate";
import { Link } from "../router";
import { Span, Time } from "../time";
import { count, percent, rateInWords } from "../words";
import { ProcessList } from "./process-list";

const POINTS = 90;

type Task = NonNullable<TaskQuery["task"]>;

/** Rate, time and estimate: how it goes. */
export function Pace({
  of,
}: {
  of: Pick<Task, "timeline" | "startedAt" | "finishedAt" | "estimatedFinishAt">;
}) {
  const rate = recentRate(of.timeline);
  return (
    <Facts
      facts={[
        ["Started", of.startedAt && <Time at={of.startedAt} />],
        [
          of.finishedAt ? "Took" : "Running for",
          of.startedAt && <Span from={of.startedAt} to={of.finishedAt} />,
        ],
        ["Rate, lately", of.finishedAt || rate === null ? null : rateInWords(rate)],
        ["Finished", of.finishedAt && <Time at={of.finishedAt} />],
        [
          "Will finish, at this rate",
          of.finishedAt
            ? null
            : of.estimatedFinishAt && (
                <>
                  <Time at={of.estimatedFinishAt} />{" "}
                  <span className="quiet">
                    <Time at={of.estimatedFinishAt} as="distance" />
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
      <Facts
        facts={[
          ["User", task.username],
          ["E-mail", task.email && <a href={`mailto:${task.email}`}>{task.email}</a>],
          ["Submitted", <Time key="at" at={task.submittedAt} />],
          ["From", task.hostname],
          ["Address", task.clientAddress],
          ["Tags", task.tags.length > 0 ? <Tags key="tags" tags={task.tags} /> : null],
        ]}
      />
      <Json title="Config" value={task.config} />
      <Json title="Dependencies" value={task.dependencies} />
    </section>
  );
}

function Found({ task }: { task: Task }) {
  return (
    <>
      <header className="page-head">
        <div className="page-title">
          <h1>{task.name}</h1>
          <span className="badges">
            <Badge sign={task.state} />
            <OutlookBadge outlook={task.outlook} ended={task.finishedAt !== null} />
          </span>
        </div>
        <div className="summary">
          <span className="figure">{percent(task.progress.ratio ?? 0)}</span>
          <div className="summary-bars">
            <ProgressBar ratio={task.progress.ratio} label="Progress of the task" />
            <JobsBar counts={task.counts} />
            <p className="jobs-legend">
              <JobsLegend counts={task.counts} />
            </p>
          </div>
        </div>
      </header>
      <section aria-labelledby="processes">
        <h2 id="processes">{count(task.processes.totalCount, "process", "processes")}</h2>
        <ProcessList task={task.name} processes={task.processes.nodes} />
      </section>
      <div className="columns">
        <section className="card wide">
          <h2>Over time</h2>
          <Plot points={task.timeline} />
          <Pace of={task} />
        </section>
        <About task={task} />
      </div>
    </>
  );
}

/** One task: its processes, its history, and what was said about it. */
export function TaskPage({ name }: { name: string }) {
  const { data, error, refresh } = useLiveQuery(TaskDocument, { name, points: POINTS }, [name]);
  return (
    <>
      <title>{`${name} · lamia`}</title>
      <nav className="crumbs" aria-label="Where this is">
        <Link path={[]}>Tasks</Link>
      </nav>
      {data?.task && <Found task={data.task} />}
      {data && data.task === null && (
        <Notice title="There is no such task">
          <p>No task is called “{name}”; it may have been deleted.</p>
        </Notice>
      )}
      {!data && (error ? <Failure error={error} retry={refresh} /> : <Loading rows={6} />)}
    </>
  );
}

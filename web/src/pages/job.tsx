import { Badge } from "../components/badge";
import { ProgressBar } from "../components/bar";
import { CopyButton } from "../components/copy-button";
import { FactList } from "../components/fact-list";
import { HeldBody } from "../components/held-body";
import { FullHost } from "../components/host";
import { LinkedText } from "../components/linked-text";
import { ErrorNotice, Loading, Notice } from "../components/notice";
import { Duration, Time } from "../components/time";
import { describeCause, parseCause, queryOf } from "../failures/cause";
import { FailingJobs } from "../failures/failing-jobs";
import {
  describeBasis,
  describeCpu,
  describeMemory,
  formatBytes,
  formatNumber,
  formatPercent,
} from "../format";
import { JobDocument, type JobQuery, type JobState } from "../generated/operations";
import { useJobEvents } from "../job-events";
import type { JobEvent } from "../job-phases";
import { useFetchedQuery } from "../live-query";
import { payloadMessage } from "../payload";
import type { Route } from "../route";
import { Link } from "../router";
import { labelOf, UNSUCCESSFUL } from "../states";
import { AddressFaults } from "./address-faults";
import { JOB_PARAMETERS } from "./address-parameters";
import { EventTable } from "./event-table";
import { JobTimeline } from "./job-timeline";
import { partOfTime } from "./part-of-time";

/** Shortest time between two requests for the job, however many events it sends. */
const MIN_INTERVAL_MS = 2000;

/** The states whose cause the head tells. */
const WITH_CAUSE: readonly JobState[] = [...UNSUCCESSFUL, "HELD"];

type Job = NonNullable<JobQuery["job"]>;

/** What a job has used, against what it was given. */
function usageFacts({ usage, startedAt, finishedAt }: Job): [string, string | null][] {
  if (usage === null) return [];
  const { cpuSeconds, maxRssBytes, requestedMemoryBytes, cpus, readBytes, writeBytes } = usage;
  const ranMs =
    usage.wallSeconds !== null
      ? 1000 * usage.wallSeconds
      : startedAt && finishedAt
        ? Date.parse(finishedAt) - Date.parse(startedAt)
        : null;
  return [
    ["CPU time", describeCpu(cpuSeconds, cpus, ranMs)],
    ["Memory", describeMemory(maxRssBytes, requestedMemoryBytes)],
    ["Read", readBytes === null ? null : formatBytes(readBytes)],
    ["Written", writeBytes === null ? null : formatBytes(writeBytes)],
  ];
}

/** Why the job ended or is held, as far as it or its last event tells. */
function Why({ job, events }: { job: Job; events: readonly JobEvent[] }) {
  if (!WITH_CAUSE.includes(job.state)) return null;
  const last = events.findLast(({ eventClass }) => eventClass === job.state);
  const cause = describeCause(job) || payloadMessage(last?.payload);
  if (cause === "") return null;
  const label = labelOf(job.state);
  return (
    <p className={`why why-${job.state.toLowerCase()}`}>
      <strong>
        {label.charAt(0).toUpperCase()}
        {label.slice(1)}:
      </strong>{" "}
      <LinkedText text={cause} withCopy />{" "}
      <CopyButton isCompact label="Copy the message" text={() => cause} />
    </p>
  );
}

function JobHeader({ job, events }: { job: Job; events: readonly JobEvent[] }) {
  const { progress } = job;
  const ended = job.finishedAt !== null;
  return (
    <header className="page-head">
      <div className="page-title">
        <h1>
          {job.process.name} {job.index !== null && <span className="index">{job.index}</span>}
        </h1>
        <span className="badges">
          <Badge name={job.state} />
          {job.liveness && <Badge name={job.liveness} />}
        </span>
      </div>
      <Why job={job} events={events} />
      {progress && (
        <div className="summary">
          <span className="figure">
            {progress.ratio === null
              ? formatNumber(progress.current)
              : formatPercent(progress.ratio)}
          </span>
          <div className="summary-bars">
            {progress.ratio !== null && (
              <ProgressBar ratio={progress.ratio} label="Progress of the job" />
            )}
            <span className="quiet">
              {progress.target === null
                ? "value reported by the job"
                : describeBasis(progress, false)}
            </span>
          </div>
        </div>
      )}
      <FactList
        facts={[
          ["Host", job.hostname && <FullHost name={job.hostname} />],
          ["Batch id", job.batchId],
          ["Attempts", job.starts > 0 ? formatNumber(job.starts) : null],
          ["Restarts", job.attempt > 0 ? formatNumber(job.attempt) : null],
          ["Started", job.startedAt && <Time at={job.startedAt} />],
          [
            ended ? "Duration" : "Running for",
            job.startedAt && <Duration from={job.startedAt} to={job.finishedAt} />,
          ],
          ["Finished", job.finishedAt && <Time at={job.finishedAt} />],
          ["Last event", job.lastEventAt && <Time at={job.lastEventAt} as="relative" />],
          ...usageFacts(job),
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
  /** A cause in its query is that of the jobs between which the page leads. */
  route: Route;
}

/** One job: its timeline, its progress and its events. */
export function JobPage({ task, process, index, route }: JobPageProps) {
  const address = { task, process, index };
  const { data, error, refresh, changed } = useFetchedQuery(JobDocument, address, {
    minIntervalMs: MIN_INTERVAL_MS,
  });
  const events = useJobEvents(address, changed);
  const job = data?.job;
  const name = index === null ? process : `${process} ${index}`;
  return (
    <>
      <title>{`${name} · ${task} · lamia`}</title>
      <nav className="crumbs" aria-label="Breadcrumb">
        <Link path={[]}>Tasks</Link>
        <Link path={["tasks", task]}>{task}</Link>
        {index !== null && (
          <>
            <Link path={["tasks", task, process]} query={queryOf(parseCause(route.query))}>
              {process}
            </Link>
            <FailingJobs task={task} name={process} index={index} route={route} />
          </>
        )}
      </nav>
      <AddressFaults route={route} parameters={JOB_PARAMETERS} />
      {job && (
        <>
          <JobHeader job={job} events={events.latest} />
          <HeldBody>
            {events.total > 0 && (
              <section className="card">
                <h2>Timeline</h2>
                <JobTimeline
                  events={[...events.earlier, ...events.latest]}
                  isPercent={job.process.threshold === null}
                  ended={job.finishedAt !== null}
                  part={partOfTime(route)}
                />
              </section>
            )}
            <EventTable address={address} events={events} />
          </HeldBody>
        </>
      )}
      {data && job === null && (
        <Notice title="Job not found">
          <p>
            “{process}” of the task “{task}” has no job {index ?? ""}.
          </p>
        </Notice>
      )}
      {!data && (error ? <ErrorNotice error={error} retry={refresh} /> : <Loading rows={6} />)}
    </>
  );
}

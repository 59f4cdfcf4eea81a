import { Badge, OutlookBadge, StalledBadge } from "../components/badge";
import { JobsBar, JobsLegend, ProgressBar } from "../components/bar";
import { ErrorNotice, Loading, Notice } from "../components/notice";
import { Pace } from "../components/timing";
import { describeBasis, formatPercent } from "../format";
import {
  ProcessChangedDocument,
  type ProcessChangedSubscription,
  ProcessDocument,
  type ProcessQuery,
} from "../generated/operations";
import { usePushedQuery } from "../live-query";
import type { Route } from "../route";
import { Link } from "../router";
import { AddressFaults } from "./address-faults";
import { ARRAY_PARAMETERS } from "./address-parameters";
import { ArrayJobs } from "./array-jobs";
import { JobPage } from "./job";
import { Failures } from "./process-row";

/** Shortest time between two snapshots, in seconds. */
const INTERVAL_S = 1;

/** What the page of a process shows in its head. */
export type Process = NonNullable<ProcessQuery["process"]>;

function ArrayHeader({ task, process }: { task: string; process: Process }) {
  const ended = process.state === "SUCCEEDED" || process.state === "FAILED";
  const ratio = process.progress?.ratio ?? null;
  return (
    <header className="page-head is-wide">
      <div className="page-title">
        <h1>{process.name}</h1>
        <span className="badges">
          <Badge name={process.state} />
          <OutlookBadge outlook={process.outlook} counts={process.counts} ended={ended} />
          <StalledBadge since={process.stalledSince} />
          {process.enough && <span className="badge">threshold reached</span>}
        </span>
      </div>
      <div className="summary">
        <span className="figure">{ratio === null ? "–" : formatPercent(ratio)}</span>
        <div className="summary-bars">
          <ProgressBar ratio={ratio} label="Progress of the array" />
          <span className="quiet">{describeBasis(process.progress, true)}</span>
          <JobsBar counts={process.counts} />
          <p className="jobs-legend">
            <JobsLegend counts={process.counts} />
          </p>
          <Pace of={process} ended={ended} />
        </div>
      </div>
      <div className={ended ? undefined : "failures-slot"}>
        <Failures task={task} process={process} />
      </div>
    </header>
  );
}

function dataOf({ taskChanged }: ProcessChangedSubscription): ProcessQuery {
  return { process: taskChanged.process };
}

/** One process: an array with its map of jobs. A solitary process is shown as its only job. */
export function ProcessPage({ task, name, route }: { task: string; name: string; route: Route }) {
  const { data, error, refresh } = usePushedQuery(
    ProcessDocument,
    { task, name },
    {
      document: ProcessChangedDocument,
      variables: { names: [task], process: name, interval: INTERVAL_S },
      dataOf,
    },
  );
  const process = data?.process;
  if (process?.kind === "SOLITARY")
    return <JobPage task={task} process={name} index={null} route={route} />;
  return (
    <>
      <title>{`${name} · ${task} · lamia`}</title>
      <nav className="crumbs" aria-label="Breadcrumb">
        <Link path={[]}>Tasks</Link>
        <Link path={["tasks", task]}>{task}</Link>
      </nav>
      {process && (
        <>
          <AddressFaults route={route} parameters={ARRAY_PARAMETERS} />
          <ArrayHeader task={task} process={process} />
          <ArrayJobs task={task} process={process} route={route} />
        </>
      )}
      {data && data.process === null && (
        <Notice title="Process not found">
          <p>
            The task “{task}” has no process “{name}”, or has been deleted.
          </p>
        </Notice>
      )}
      {!data && (error ? <ErrorNotice error={error} retry={refresh} /> : <Loading rows={6} />)}
    </>
  );
}

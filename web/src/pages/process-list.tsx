import { useState } from "react";
import { Badge, OutlookBadge } from "../components/badge";
import { countUnsuccessful, JobsBar, JobsSummary, ProgressBar } from "../components/bar";
import { CopyButton } from "../components/copy-button";
import { Icon } from "../components/icon";
import { fetchFailedIndices } from "../failures/fetch-indices";
import { describeBasis, describeFailures, formatCount, formatNumber } from "../format";
import type { TaskQuery } from "../generated/operations";
import { Link } from "../router";

/** Longer lists can be filtered. */
const MAX_UNFILTERED = 10;

type Process = NonNullable<TaskQuery["task"]>["processes"]["nodes"][number];

interface FailuresProps {
  task: string;
  process: {
    name: string;
    threshold: number | null;
    counts: Process["counts"];
    failureTolerance?: number;
  };
}

/** The number of failures against the tolerance, and a button that copies the failed indices. */
export function Failures({ task, process }: FailuresProps) {
  const { name, threshold, counts, failureTolerance } = process;
  const failed = countUnsuccessful(counts);
  if (failureTolerance === undefined || (failed === 0 && failureTolerance === 0)) return null;
  const words =
    threshold === null
      ? describeFailures(failed, failureTolerance)
      : `${formatCount(failed, "failure")}; success depends on the threshold`;
  return (
    <div className="failures">
      <span className={threshold === null && failed > failureTolerance ? "bad" : "quiet"}>
        {words}
      </span>
      {failed > 0 && (
        <CopyButton
          label={
            failed === 1 ? "Copy the failed index" : `Copy ${formatNumber(failed)} failed indices`
          }
          text={() => fetchFailedIndices(task, name)}
        />
      )}
    </div>
  );
}

function Row({ task, process }: { task: string; process: Process }) {
  const isArray = process.kind === "ARRAY";
  const ended = process.state === "SUCCEEDED" || process.state === "FAILED";
  return (
    <li className="process">
      <div className="process-name">
        <Link path={["tasks", task, process.name]} className="name">
          {process.name}
        </Link>
        <span className="quiet">
          {isArray ? `array of ${formatNumber(process.jobCount)}` : "solitary"}
        </span>
      </div>
      <div className="process-state">
        <Badge name={process.state} />
        <OutlookBadge outlook={process.outlook} ended={ended} />
      </div>
      <div className="process-progress">
        <ProgressBar
          ratio={process.progress?.ratio ?? null}
          label={`Progress of ${process.name}`}
        />
        <span className="quiet">{describeBasis(process.progress, isArray)}</span>
      </div>
      <div className="process-jobs">
        {isArray && (
          <>
            <JobsBar counts={process.counts} />
            <JobsSummary counts={process.counts} />
          </>
        )}
      </div>
      <Failures task={task} process={process} />
    </li>
  );
}

/** The processes of a task. Long lists can be filtered to those with failures. */
export function ProcessList({ task, processes }: { task: string; processes: readonly Process[] }) {
  const [onlyFailing, setOnlyFailing] = useState(false);
  const withFailures = processes.filter(
    ({ counts, state }) => countUnsuccessful(counts) > 0 || state === "FAILED",
  );
  const canFilter = processes.length > MAX_UNFILTERED && withFailures.length > 0;
  return (
    <>
      {canFilter && (
        <button
          type="button"
          className="toggle narrow"
          aria-pressed={onlyFailing}
          onClick={() => setOnlyFailing(!onlyFailing)}
        >
          <Icon name="FAILED" />
          {formatCount(withFailures.length, "process", "processes")} with failures
        </button>
      )}
      <ul className="processes">
        {(canFilter && onlyFailing ? withFailures : processes).map((process) => (
          <Row key={process.id} task={task} process={process} />
        ))}
      </ul>
    </>
  );
}

import { Badge, OutlookBadge, StalledBadge } from "../components/badge";
import { countUnsuccessful, JobsBar, JobsSummary, ProgressBar } from "../components/bar";
import { CopyButton } from "../components/copy-button";
import { Pace } from "../components/timing";
import { fetchFailedIndices } from "../failures/fetch-indices";
import { describeBasis, describeFailures, formatNumber } from "../format";
import type { TaskQuery } from "../generated/operations";
import { Link } from "../router";

/** A process, as the page of its task shows it. */
export type Process = NonNullable<TaskQuery["task"]>["processes"]["nodes"][number];

interface FailuresProps {
  task: string;
  process: {
    name: string;
    threshold: number | null;
    counts: Process["counts"];
    failureTolerance?: number;
  };
}

/** The number of unsuccessful jobs against the tolerance, and a button that copies their indices. */
export function Failures({ task, process }: FailuresProps) {
  const { name, threshold, counts, failureTolerance } = process;
  const number = countUnsuccessful(counts);
  if (failureTolerance === undefined || (number === 0 && failureTolerance === 0)) return null;
  const words =
    threshold === null
      ? describeFailures(number, failureTolerance)
      : `${formatNumber(number)} unsuccessful; success depends on the threshold`;
  return (
    <div className="failures">
      <span className={threshold === null && number > failureTolerance ? "bad" : "quiet"}>
        {words}
      </span>
      {number > 0 && (
        <CopyButton
          label={`Copy ${formatNumber(number)} unsuccessful ${number === 1 ? "index" : "indices"}`}
          text={() => fetchFailedIndices(task, name)}
        />
      )}
    </div>
  );
}

/** A process with its progress, what that counts, and its failures. */
export function ProcessRow({ task, process }: { task: string; process: Process }) {
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
        <OutlookBadge outlook={process.outlook} counts={process.counts} ended={ended} />
        <StalledBadge since={process.stalledSince} />
      </div>
      <div className="process-progress">
        <ProgressBar
          ratio={process.progress?.ratio ?? null}
          label={`Progress of ${process.name}`}
        />
        <span className="quiet">{describeBasis(process.progress, isArray)}</span>
        <Pace of={process} ended={ended} />
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

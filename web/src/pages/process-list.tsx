import { useState } from "react";
import { execute } from "../api";
import { JobIndicesDocument, type TaskQuery } from "../generated/operations";
import { Badge, OutlookBadge } from "../parts/badge";
import { failures, JobsBar, JobsLine, ProgressBar } from "../parts/bar";
import { Copy } from "../parts/copy";
import { Icon } from "../parts/icon";
import { Link } from "../router";
import { basisInWords, count, FAILING, failuresInWords, number } from "../words";

/** More processes than these are a long list. */
const FEW = 10;

type Process = NonNullable<TaskQuery["task"]>["processes"]["nodes"][number];

/** The indices of what failed in an array, like `813,900-904`. Throws as requests do. */
async function failedIndices(task: string, name: string): Promise<string> {
  const variables = { task, name, states: [...FAILING] };
  const { process } = await execute(JobIndicesDocument, variables, new AbortController().signal);
  return process !== null && "indices" in process ? process.indices : "";
}

interface FailuresProps {
  task: string;
  process: {
    name: string;
    threshold: number | null;
    counts: Process["counts"];
    failureTolerance?: number;
  };
}

/** What failed, against what is tolerated, and its indices for the taking. */
export function Failures({ task, process }: FailuresProps) {
  const { name, threshold, counts, failureTolerance } = process;
  const failed = failures(counts);
  if (failureTolerance === undefined || (failed === 0 && failureTolerance === 0)) return null;
  const words =
    threshold === null
      ? failuresInWords(failed, failureTolerance)
      : `${count(failed, "failure")}; the threshold decides`;
  return (
    <div className="failures">
      <span className={threshold === null && failed > failureTolerance ? "bad" : "quiet"}>
        {words}
      </span>
      {failed > 0 && (
        <Copy
          label={failed === 1 ? "Copy the failed index" : `Copy ${number(failed)} failed indices`}
          text={() => failedIndices(task, name)}
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
          {isArray ? `array of ${number(process.jobCount)}` : "solitary"}
        </span>
      </div>
      <div className="process-state">
        <Badge sign={process.state} />
        <OutlookBadge outlook={process.outlook} ended={ended} />
      </div>
      <div className="process-progress">
        <ProgressBar
          ratio={process.progress?.ratio ?? null}
          label={`Progress of ${process.name}`}
        />
        <span className="quiet">{basisInWords(process.progress, isArray)}</span>
      </div>
      <div className="process-jobs">
        {isArray && (
          <>
            <JobsBar counts={process.counts} />
            <JobsLine counts={process.counts} />
          </>
        )}
      </div>
      <Failures task={task} process={process} />
    </li>
  );
}

/** The processes of a task, each with its progress in words; many can be narrowed to what fails. */
export function ProcessList({ task, processes }: { task: string; processes: readonly Process[] }) {
  const [onlyFailing, setOnlyFailing] = useState(false);
  const failing = processes.filter(
    ({ counts, state }) => failures(counts) > 0 || state === "FAILED",
  );
  const canNarrow = processes.length > FEW && failing.length > 0;
  return (
    <>
      {canNarrow && (
        <button
          type="button"
          className="toggle narrow"
          aria-pressed={onlyFailing}
          onClick={() => setOnlyFailing(!onlyFailing)}
        >
          <Icon sign="FAILED" />
          {count(failing.length, "process", "processes")} with failures
        </button>
      )}
      <ul className="processes">
        {(canNarrow && onlyFailing ? failing : processes).map((process) => (
          <Row key={process.id} task={task} process={process} />
        ))}
      </ul>
    </>
  );
}

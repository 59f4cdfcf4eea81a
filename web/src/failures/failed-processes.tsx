import { CopyButton } from "../components/copy-button";
import { formatCount } from "../format";
import { FailedProcessesDocument, type FailureCause } from "../generated/operations";
import { useLiveQuery } from "../live-query";
import { Link } from "../router";
import { queryOf } from "./cause";
import { copyForm, formatIndices } from "./copy-forms";

/** Shortest time between two requests, each of which may bring the indices of many jobs. */
const MIN_INTERVAL_MS = 5000;

/** The processes of a task that have failures of a cause, each with its indices. */
export function FailedProcesses({ task, cause }: { task: string; cause: FailureCause }) {
  const { data } = useLiveQuery(FailedProcessesDocument, { name: task, cause }, [task], {
    minIntervalMs: MIN_INTERVAL_MS,
  });
  const processes = data?.task?.failureGroups[0]?.processes;
  if (processes === undefined) return null;
  return (
    <ul className="failed-processes">
      {processes.map(({ name, count, indices }) => (
        <li key={name}>
          <span>
            <Link path={["tasks", task, name]} query={queryOf(cause)} className="name">
              {name}
            </Link>{" "}
            <span className="quiet">{formatCount(count, "failure")} of this cause</span>
          </span>
          {indices !== null && (
            <CopyButton
              label="Copy indices"
              text={() => formatIndices({ name, indices }, copyForm.get())}
            />
          )}
        </li>
      ))}
    </ul>
  );
}

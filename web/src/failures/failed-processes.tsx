import { CopyButton } from "../components/copy-button";
import { useBodyHold } from "../components/held-body";
import { formatCount } from "../format";
import {
  FailedProcessesDocument,
  type FailedProcessesQuery,
  type FailureCause,
} from "../generated/operations";
import { useHeldRows } from "../held-rows";
import { useLiveQuery } from "../live-query";
import { Link } from "../router";
import { queryOf } from "./cause";
import { formatSelected } from "./copy-form";

/** Shortest time between two requests, each of which may bring the indices of many jobs. */
const MIN_INTERVAL_MS = 5000;

type FailedProcess = NonNullable<
  FailedProcessesQuery["task"]
>["failureGroups"][number]["processes"][number];

const NONE: readonly FailedProcess[] = [];

function keyOf({ name }: FailedProcess): string {
  return name;
}

/** The processes of a task that have failures of a cause, each with its indices. */
export function FailedProcesses({ task, cause }: { task: string; cause: FailureCause }) {
  const { data } = useLiveQuery(FailedProcessesDocument, { name: task, cause }, [task], {
    minIntervalMs: MIN_INTERVAL_MS,
  });
  const latest = data?.task?.failureGroups[0]?.processes ?? NONE;
  const { rows } = useHeldRows(latest, keyOf, useBodyHold().isHeld);
  if (rows.length === 0) return null;
  return (
    <ul className="failed-processes">
      {rows.map(({ name, count, indices }) => (
        <li key={name}>
          <span>
            <Link path={["tasks", task, name]} query={queryOf(cause)} className="name">
              {name}
            </Link>{" "}
            <span className="quiet">{formatCount(count, "failure")} of this cause</span>
          </span>
          {indices !== null && (
            <CopyButton label="Copy indices" text={() => formatSelected({ name, indices })} />
          )}
        </li>
      ))}
    </ul>
  );
}

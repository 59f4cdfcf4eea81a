import { ApiError } from "../api";
import {
  ExportTasksDocument,
  type ExportTasksQuery,
  type TaskFilter,
  type TaskOrder,
} from "../generated/operations";
import { executePatiently } from "./execute-patiently";
import { type ReadPage, ROWS_PER_PAGE } from "./read-table";
import type { TableRow } from "./table-file";

type Task = NonNullable<ExportTasksQuery["tasks"]>["nodes"][number];

function rowOf({ id: _, progress, counts, ...task }: Task): TableRow {
  const { total, ...states } = counts;
  return { ...task, progress: progress.ratio, jobs: total, ...states };
}

/** Reads the tasks that match a filter. */
export function taskReader(filter: TaskFilter, orderBy: TaskOrder): ReadPage {
  return async (after, signal) => {
    const variables = { filter, orderBy, first: ROWS_PER_PAGE, after };
    const { tasks } = await executePatiently(ExportTasksDocument, variables, signal);
    if (tasks === null) throw new ApiError("The server did not answer with tasks.", false);
    const { nodes, pageInfo } = tasks;
    return { rows: nodes.map(rowOf), next: pageInfo.hasNextPage ? pageInfo.endCursor : null };
  };
}

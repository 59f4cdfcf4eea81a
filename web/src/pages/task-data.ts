import { MAX_CAUSES, MAX_HOSTS } from "../failures/failure-list";
import {
  TaskDocument,
  TaskPageChangedDocument,
  type TaskPageChangedSubscription,
  type TaskQuery,
} from "../generated/operations";
import { type LiveResult, usePushedQuery } from "../live-query";

const TIMELINE_POINTS = 90;
/** The interval between two snapshots, in seconds. */
const INTERVAL_S = 2;

function dataOf({ taskChanged }: TaskPageChangedSubscription): TaskQuery {
  return { task: taskChanged };
}

/** What the page of a task shows, kept up to date. */
export function useTask(name: string): LiveResult<TaskQuery> {
  const shown = { points: TIMELINE_POINTS, groups: MAX_CAUSES, hosts: MAX_HOSTS };
  return usePushedQuery(
    TaskDocument,
    { name, ...shown },
    {
      document: TaskPageChangedDocument,
      variables: { names: [name], interval: INTERVAL_S, ...shown },
      dataOf,
    },
  );
}

import { MAX_CAUSES, MAX_HOSTS } from "../failures/failure-list";
import {
  ArrayJobsChangedDocument,
  type ArrayJobsChangedSubscription,
  ArrayJobsDocument,
  type ArrayJobsQuery,
  type FailureCause,
  PickedJobsChangedDocument,
  type PickedJobsChangedSubscription,
  PickedJobsDocument,
  type PickedJobsQuery,
} from "../generated/operations";
import { usePushedQuery } from "../live-query";
import { PAGE_SIZE } from "./job-table";

const TIMELINE_POINTS = 90;
/** Shortest and longest interval between two snapshots, in seconds. */
const MIN_INTERVAL_S = 2;
const MAX_INTERVAL_S = 15;
/** The indices of so many jobs may be sent in a second: in the worst case, 7 bytes each. */
const JOBS_PER_SECOND = 20_000;

/** What is shown of the jobs of an array. */
export type ArrayData = Extract<NonNullable<ArrayJobsQuery["process"]>, { jobCount: number }>;

/** The interval between two snapshots, in seconds. Large arrays take a longer one. */
function intervalOf(jobCount: number): number {
  return Math.min(MAX_INTERVAL_S, Math.max(MIN_INTERVAL_S, jobCount / JOBS_PER_SECOND));
}

function jobsOf({ taskChanged }: ArrayJobsChangedSubscription): ArrayJobsQuery {
  return { process: taskChanged.process };
}

/** What is shown of the jobs of an array, kept up to date. */
export function useArrayJobs(task: string, name: string, jobCount: number) {
  const shown = {
    points: TIMELINE_POINTS,
    first: PAGE_SIZE,
    hosts: MAX_HOSTS,
    groups: MAX_CAUSES,
  };
  const { data, error, refresh } = usePushedQuery(
    ArrayJobsDocument,
    { task, name, ...shown },
    {
      document: ArrayJobsChangedDocument,
      variables: { names: [task], process: name, interval: intervalOf(jobCount), ...shown },
      dataOf: jobsOf,
    },
  );
  const process = data?.process;
  return { jobs: process && "jobCount" in process ? process : undefined, error, refresh };
}

function pickedOf({ taskChanged }: PickedJobsChangedSubscription): PickedJobsQuery {
  return { process: taskChanged.process };
}

/** The failures of an array that have a cause, kept up to date; undefined without a cause. */
export function usePickedJobs(
  task: string,
  name: string,
  jobCount: number,
  cause: FailureCause | null,
) {
  const shown = { first: PAGE_SIZE, filter: { cause } };
  const { data } = usePushedQuery(
    PickedJobsDocument,
    { task, name, ...shown },
    {
      document: PickedJobsChangedDocument,
      variables: { names: [task], process: name, interval: intervalOf(jobCount), ...shown },
      dataOf: pickedOf,
    },
    { enabled: cause !== null },
  );
  const process = data?.process;
  return cause !== null && process && "indices" in process ? process : undefined;
}

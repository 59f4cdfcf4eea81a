import type { Counts } from "../components/bar";
import type { Outlook, State } from "../generated/operations";

/** What is added up of a task. */
export interface Summable {
  state: State;
  outlook: Outlook;
  finishedAt: string | null;
  rate: number | null;
  stalledSince: string | null;
  counts: Counts & { late: number | null; lost: number | null };
}

/** Some tasks, added up. */
export interface TaskTotals {
  tasks: number;
  states: Map<State, number>;
  /** Unfinished tasks that cannot succeed. */
  cannotSucceed: number;
  /** Unfinished tasks at risk. */
  atRisk: number;
  /** Tasks in which nothing has ended for much longer than jobs take. */
  stalled: number;
  /** Their jobs. */
  counts: Summable["counts"];
  /** Jobs that end per minute; null where no task has a rate. */
  rate: number | null;
}

const NO_JOBS: Summable["counts"] = {
  total: 0,
  pending: 0,
  submitted: 0,
  held: 0,
  running: 0,
  late: 0,
  lost: 0,
  done: 0,
  failed: 0,
  terminated: 0,
};

/** The sums over some tasks. */
export function totalsOf(tasks: readonly Summable[]): TaskTotals {
  const states = new Map<State, number>();
  const counts = { ...NO_JOBS };
  const names = Object.keys(NO_JOBS) as (keyof typeof NO_JOBS)[];
  const totals: TaskTotals = {
    tasks: tasks.length,
    states,
    cannotSucceed: 0,
    atRisk: 0,
    stalled: 0,
    counts,
    rate: null,
  };
  for (const task of tasks) {
    states.set(task.state, (states.get(task.state) ?? 0) + 1);
    for (const name of names) counts[name] = (counts[name] ?? 0) + (task.counts[name] ?? 0);
    if (task.rate !== null) totals.rate = (totals.rate ?? 0) + task.rate;
    if (task.stalledSince !== null) totals.stalled += 1;
    if (task.finishedAt !== null) continue;
    if (task.outlook === "CANNOT_SUCCEED") totals.cannotSucceed += 1;
    if (task.outlook === "AT_RISK") totals.atRisk += 1;
  }
  return totals;
}

import { useEffect, useMemo, useState } from "react";
import { countUnsuccessful } from "../components/bar";
import { describeCause } from "../failures/cause";
import { TaskCausesDocument } from "../generated/operations";
import { useFetchedQuery } from "../live-query";
import type { ListedTask } from "./task-row";

/** Number of tasks whose causes are asked for. */
const EXPLAINED = 20;

const EMPTY: ReadonlyMap<string, string> = new Map();

/** Whether the list tells why jobs of a task were unsuccessful. */
function isExplained({ state, outlook, finishedAt, counts }: ListedTask): boolean {
  const isFailing = finishedAt === null ? outlook !== "ON_TRACK" : state === "FAILED";
  return isFailing && countUnsuccessful(counts) > 0;
}

/**
 * The most frequent cause of the failures of the first 20 tasks that need help, by their ids. It is
 * asked for every 20 seconds, and when these are other tasks.
 */
export function useTaskCauses(tasks: readonly ListedTask[]): ReadonlyMap<string, string> {
  const names = tasks
    .filter(isExplained)
    .slice(0, EXPLAINED)
    .map(({ name }) => name)
    .sort();
  const variables = { names, first: EXPLAINED };
  const { data } = useFetchedQuery(TaskCausesDocument, variables, { enabled: names.length > 0 });
  const latest = useMemo(() => {
    const nodes = data?.tasks?.nodes;
    if (nodes === undefined) return null;
    return new Map(
      nodes.flatMap(({ id, failureGroups: [group] }) =>
        group ? [[id, describeCause(group)]] : [],
      ),
    );
  }, [data]);
  // While others are asked for, the known ones stay.
  const [known, setKnown] = useState(EMPTY);
  useEffect(() => {
    if (latest !== null) setKnown(latest);
  }, [latest]);
  return latest ?? known;
}

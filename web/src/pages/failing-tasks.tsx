import { useEffect, useRef, useState } from "react";
import { formatCount, formatNumber } from "../format";
import {
  FailingTasksDocument,
  type FailingTasksQuery,
  type TaskFilter,
} from "../generated/operations";
import { useLiveQuery } from "../live-query";
import { describeTrouble } from "../outlook";
import { hrefOf } from "../route";
import { navigate } from "../router";
import { useStore } from "../store";
import { showFailingIcon } from "./favicon";
import { notifies } from "./list-settings";

/** Tasks that failed count as failing for this long. */
const RECENT_HOURS = 24;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Number of tasks that are compared to find those that have begun to fail. */
const COMPARED = 100;
/** So many of the latest failing tasks are known, to tell of each once. */
const MAX_SEEN = 10 * COMPARED;
const MIN_INTERVAL_MS = 5000;

type FailingTask = NonNullable<FailingTasksQuery["unfinished"]>["nodes"][number];

/**
 * The title and the icon of the tab, with the number of failing tasks: those that cannot succeed, and
 * those that failed within the last 24 hours. Of the list's filter, states and outlooks don't count.
 * New ones are notified of if the user wants it, also in a hidden tab.
 */
export function FailingTasks({ filter }: { filter: TaskFilter }) {
  const hour = useHour();
  const after = new Date((hour - RECENT_HOURS) * HOUR_MS).toISOString();
  const { states: _states, outlooks: _outlooks, ...shared } = filter;
  const variables = {
    first: COMPARED,
    unfinished: {
      ...shared,
      states: ["PENDING" as const, "SUBMITTED" as const, "RUNNING" as const],
      outlooks: ["CANNOT_SUCCEED" as const],
    },
    failed: { ...shared, states: ["FAILED" as const], finished: { after } },
  };
  const pace = { minIntervalMs: MIN_INTERVAL_MS, inBackground: true, keepsPrevious: true };
  const { data, isPrevious } = useLiveQuery(FailingTasksDocument, variables, null, pace);
  const count = (data?.unfinished?.totalCount ?? 0) + (data?.failed?.totalCount ?? 0);
  useEffect(() => showFailingIcon(count), [count]);
  useNotifications(isPrevious ? undefined : data, JSON.stringify(filter));
  return <title>{`${count > 0 ? `(${formatNumber(count)}) ` : ""}Tasks · lamia`}</title>;
}

function currentHour(): number {
  return Math.floor(Date.now() / HOUR_MS);
}

/** The hours since 1970, also in a hidden tab, for which `useNow` stands still. */
function useHour(): number {
  const [hour, setHour] = useState(currentHour);
  useEffect(() => {
    const timer = setInterval(() => setHour(currentHour()), MINUTE_MS);
    return () => clearInterval(timer);
  }, []);
  return hour;
}

/** Tells of tasks that are new among the failing ones of a filter. The first ones are known. */
function useNotifications(data: FailingTasksQuery | undefined, filter: string): void {
  const isWanted = useStore(notifies);
  const seen = useRef<{ filter: string; ids: Set<string> } | null>(null);
  useEffect(() => {
    if (!data) return;
    const failing = [...(data.unfinished?.nodes ?? []), ...(data.failed?.nodes ?? [])];
    const known = seen.current?.filter === filter ? seen.current.ids : null;
    const fresh = known ? failing.filter(({ id }) => !known.has(id)) : [];
    const ids = [...failing.map(({ id }) => id), ...(known ?? [])];
    seen.current = { filter, ids: new Set(ids.slice(0, MAX_SEEN)) };
    if (isWanted && fresh.length > 0) notify(fresh);
  }, [data, filter, isWanted]);
}

function notify(tasks: readonly FailingTask[]): void {
  if (!("Notification" in window) || Notification.permission !== "granted") return;
  const [first, ...others] = tasks;
  if (first === undefined) return;
  const title =
    others.length > 0
      ? `${formatCount(tasks.length, "task")} are failing`
      : `${first.name} ${first.finishedAt ? "failed" : "cannot succeed"}`;
  const body =
    others.length > 0 ? tasks.map(({ name }) => name).join(", ") : describeTrouble(first.counts);
  const notification = new Notification(title, { body });
  notification.onclick = () => {
    window.focus();
    navigate(others.length > 0 ? hrefOf([]) : hrefOf(["tasks", first.name]));
  };
}

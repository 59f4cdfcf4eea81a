import { ProcessTimelineDocument, TaskTimelineDocument } from "../generated/operations";
import { useLiveQuery } from "../live-query";
import type { TimelinePoint } from "./timeline-point";

/** The server keeps no more than about half as many samples of a process. */
const POINTS = 500;
/** Shortest time between two requests. */
const MIN_INTERVAL_MS = 20_000;

/** What a timeline is of: a process, or a task without one. */
export interface TimelineOf {
  task: string;
  process?: string;
}

/** A timeline in many points, kept up to date; undefined until it is there, or if not enabled. */
export function useFineTimeline(
  { task, process }: TimelineOf,
  enabled: boolean,
): readonly TimelinePoint[] | undefined {
  const pace = { minIntervalMs: MIN_INTERVAL_MS };
  const ofProcess = useLiveQuery(
    ProcessTimelineDocument,
    { task, name: process ?? "", points: POINTS },
    [task],
    { ...pace, enabled: enabled && process !== undefined },
  );
  const ofTask = useLiveQuery(TaskTimelineDocument, { name: task, points: POINTS }, [task], {
    ...pace,
    enabled: enabled && process === undefined,
  });
  if (!enabled) return undefined;
  return (ofProcess.data?.process ?? ofTask.data?.task)?.timeline;
}

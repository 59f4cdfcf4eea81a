import type { Counts } from "./bar";

/** Progress and counts at one time. */
export interface TimelinePoint {
  at: string;
  ratio: number | null;
  counts: Counts;
}

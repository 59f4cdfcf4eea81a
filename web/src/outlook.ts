import { formatNumber } from "./format";
import type { Outlook } from "./generated/operations";
import { labelOf } from "./states";

/** Numbers of jobs that may keep a task or process from success. */
export interface TroubleCounts {
  failed: number;
  terminated: number;
  held: number;
  lost: number | null;
}

/** How many jobs are unsuccessful, lost and held, like `3 unsuccessful, 1 held`; empty for none. */
export function describeTrouble({ failed, terminated, held, lost }: TroubleCounts): string {
  const parts: [number, string][] = [
    [failed + terminated, "unsuccessful"],
    [lost ?? 0, labelOf("LOST")],
    [held, labelOf("HELD")],
  ];
  return parts
    .filter(([count]) => count > 0)
    .map(([count, what]) => `${formatNumber(count)} ${what}`)
    .join(", ");
}

/** An outlook and its reason, like `at risk: 3 unsuccessful, 2 lost`. */
export function describeOutlook(outlook: Outlook, counts: TroubleCounts): string {
  const trouble = outlook === "ON_TRACK" ? "" : describeTrouble(counts);
  return trouble === "" ? labelOf(outlook) : `${labelOf(outlook)}: ${trouble}`;
}

import type { JobState, Liveness } from "../generated/operations";

/** What a cell can show: a state, or that a running job is silent. */
export type Kind = JobState | Exclude<Liveness, "ALIVE">;

/** The kinds; a cell holds the place of its kind in this list. */
export const KINDS: readonly Kind[] = [
  "PENDING",
  "SUBMITTED",
  "RUNNING",
  "DONE",
  "FAILED",
  "TERMINATED",
  "LATE",
  "LOST",
];

/** Where one pixel stands for many jobs, it shows the one that comes last here. */
const BY_CONCERN: readonly Kind[] = [
  "DONE",
  "PENDING",
  "SUBMITTED",
  "RUNNING",
  "LATE",
  "TERMINATED",
  "LOST",
  "FAILED",
];

/** How much each kind, by its place in {@link KINDS}, asks for attention. */
export const CONCERN = Uint8Array.from(KINDS, (kind) => BY_CONCERN.indexOf(kind));

/** The indices of an array by their kinds, as the API lists them: `813,900-904`. */
export interface Listing {
  firstIndex: number;
  jobCount: number;
  submitted: string;
  running: string;
  done: string;
  failed: string;
  terminated: string;
  late: string;
  lost: string;
}

/** One cell for each job, in the order of the indices. */
export function decode(listing: Listing): Uint8Array<ArrayBuffer> {
  const cells = new Uint8Array(listing.jobCount);
  for (const kind of KINDS) {
    if (kind === "PENDING") continue;
    const code = KINDS.indexOf(kind);
    const runs = listing[kind.toLowerCase() as Lowercase<Exclude<Kind, "PENDING">>];
    fill(cells, runs, listing.firstIndex, code);
  }
  return cells;
}

function fill(cells: Uint8Array, runs: string, firstIndex: number, code: number): void {
  if (runs === "") return;
  for (const run of runs.split(",")) {
    const dash = run.indexOf("-");
    const first = Number(dash < 0 ? run : run.slice(0, dash)) - firstIndex;
    const last = dash < 0 ? first : Number(run.slice(dash + 1)) - firstIndex;
    cells.fill(code, first, last + 1);
  }
}

/** The indices of the cells of a kind, as the API would list them; `firstIndex` is that of the first. */
export function indicesOfKind(cells: Uint8Array, kind: Kind, firstIndex: number): string {
  const code = KINDS.indexOf(kind);
  const runs: string[] = [];
  let first = cells.indexOf(code);
  while (first >= 0) {
    let last = first;
    while (cells[last + 1] === code) last += 1;
    const index = firstIndex + first;
    runs.push(first === last ? `${index}` : `${index}-${firstIndex + last}`);
    first = cells.indexOf(code, last + 1);
  }
  return runs.join(",");
}

import type { JobState, Liveness } from "../generated/operations";
import { JOB_STATES } from "../states";

/** What a cell shows: the state of a job, or the liveness of a running job that is silent. */
export type CellState = JobState | Exclude<Liveness, "ALIVE">;

/** All cell states. A cell is stored as the position of its state in this list, its code. */
export const CELL_STATES: readonly CellState[] = [
  "PENDING",
  "SUBMITTED",
  "RUNNING",
  "DONE",
  "FAILED",
  "TERMINATED",
  "LATE",
  "LOST",
  "HELD",
];

/** What a map can highlight, in the order of its legend. */
export const LEGEND_STATES: readonly CellState[] = [...JOB_STATES, "LATE", "LOST"];

/** From least to most severe. A pixel that covers many jobs shows the most severe state. */
const BY_SEVERITY: readonly CellState[] = [
  "DONE",
  "PENDING",
  "SUBMITTED",
  "RUNNING",
  "LATE",
  "HELD",
  "TERMINATED",
  "LOST",
  "FAILED",
];

/** Added to the code of a cell that is not one of those that are highlighted. */
export const DIMMED = 0x80;
/** The part of a cell that is its code. */
const CODE = 0x7f;

/** The state of a cell. */
export function stateOf(cell: number): CellState {
  return CELL_STATES[cell & CODE] ?? "PENDING";
}

/** The severity of a cell. Whatever is highlighted is more severe than what is not. */
export function severityOf(cell: number): number {
  return BY_SEVERITY.indexOf(stateOf(cell)) + (cell & DIMMED ? 0 : BY_SEVERITY.length);
}

/** The cells with those of one state highlighted. */
export function highlightState(cells: Uint8Array, state: CellState): Uint8Array<ArrayBuffer> {
  const code = CELL_STATES.indexOf(state);
  return Uint8Array.from(cells, (cell) => (cell === code ? cell : cell | DIMMED));
}

/** The cells with those of some indices highlighted, which are as the API returns them. */
export function highlightIndices(
  cells: Uint8Array,
  indices: string,
  firstIndex: number,
): Uint8Array<ArrayBuffer> {
  const dimmed = new Uint8Array(cells.length).fill(DIMMED);
  fillRuns(dimmed, indices, firstIndex, 0);
  return dimmed.map((mask, offset) => mask | (cells[offset] ?? 0));
}

/** The indices of an array by state, as the API returns them, like `813,900-904`. */
export interface JobIndices {
  firstIndex: number;
  jobCount: number;
  submitted: string;
  held: string;
  running: string;
  done: string;
  failed: string;
  terminated: string;
  late: string;
  lost: string;
}

/** One code for each job, ordered by index. */
export function decodeCells(jobIndices: JobIndices): Uint8Array<ArrayBuffer> {
  const cells = new Uint8Array(jobIndices.jobCount);
  for (const state of CELL_STATES) {
    if (state === "PENDING") continue;
    const code = CELL_STATES.indexOf(state);
    const runs = jobIndices[state.toLowerCase() as Lowercase<Exclude<CellState, "PENDING">>];
    fillRuns(cells, runs, jobIndices.firstIndex, code);
  }
  return cells;
}

function fillRuns(cells: Uint8Array, runs: string, firstIndex: number, code: number): void {
  if (runs === "") return;
  for (const run of runs.split(",")) {
    const dash = run.indexOf("-");
    const first = Number(dash < 0 ? run : run.slice(0, dash)) - firstIndex;
    const last = dash < 0 ? first : Number(run.slice(dash + 1)) - firstIndex;
    cells.fill(code, first, last + 1);
  }
}

/** The indices of the cells with a state, as the API returns them. */
export function indicesOf(cells: Uint8Array, state: CellState, firstIndex: number): string {
  const code = CELL_STATES.indexOf(state);
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

/** Room at the left for the indices of the rows, in CSS pixels. */
export const GUTTER = 52;
const LARGEST_FIT = 24;
const LARGEST = 40;
const COLUMNS = [5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 2500];

/** How an array lies in rows: as many round columns as make its cells largest. */
export interface Grid {
  columns: number;
  rows: number;
  /** The edge of a cell when all of them are shown, in CSS pixels. */
  fit: number;
}

/** The grid for so many jobs in a room of this size, in CSS pixels. */
export function gridFor(jobs: number, width: number, height: number): Grid {
  let best: Grid = { columns: 1, rows: jobs, fit: 0 };
  for (const columns of COLUMNS) {
    const rows = Math.ceil(jobs / columns);
    const fit = Math.min((width - GUTTER) / columns, height / rows, LARGEST_FIT);
    if (fit >= best.fit) best = { columns, rows, fit };
    if (columns >= jobs) break;
  }
  return best;
}

/** What of a grid is seen: the edge of a cell, and where its corner lies, in CSS pixels. */
export interface View {
  cell: number;
  x: number;
  y: number;
}

/** All of the grid. */
export function whole(grid: Grid): View {
  return { cell: grid.fit, x: GUTTER, y: 0 };
}

/** The view, moved so that it shows as much of the grid as there is. */
export function clamp(view: View, grid: Grid, width: number, height: number): View {
  const cell = Math.min(LARGEST, Math.max(grid.fit, view.cell));
  return {
    cell,
    x: between(Math.min(GUTTER, width - grid.columns * cell), view.x, GUTTER),
    y: between(Math.min(0, height - grid.rows * cell), view.y, 0),
  };
}

/** The view `factor` times as large, with the point (x, y) staying where it is. */
export function zoom(view: View, grid: Grid, factor: number, x: number, y: number): View {
  const cell = Math.min(LARGEST, Math.max(grid.fit, view.cell * factor));
  const real = cell / view.cell;
  return { cell, x: x - (x - view.x) * real, y: y - (y - view.y) * real };
}

/** The view, moved by as little as shows a cell. */
export function reveal(view: View, grid: Grid, place: number, width: number, height: number): View {
  const left = (place % grid.columns) * view.cell;
  const top = Math.floor(place / grid.columns) * view.cell;
  return {
    cell: view.cell,
    x: between(GUTTER - left, view.x, width - view.cell - left),
    y: between(-top, view.y, height - view.cell - top),
  };
}

/** The place of the job under a point; null where there is none. */
export function placeAt(view: View, grid: Grid, jobs: number, x: number, y: number): number | null {
  const column = Math.floor((x - view.x) / view.cell);
  const row = Math.floor((y - view.y) / view.cell);
  if (x < GUTTER || column < 0 || column >= grid.columns || row < 0) return null;
  const place = row * grid.columns + column;
  return place < jobs ? place : null;
}

function between(low: number, value: number, high: number): number {
  return Math.max(low, Math.min(high, value));
}

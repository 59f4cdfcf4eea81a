/** Width of a digit of the row labels, and of the space beside a label, in CSS pixels. */
const DIGIT_PX = 7;
const LABEL_SPACE_PX = 10;
const MAX_FIT_CELL_PX = 36;
const MAX_CELL_PX = 48;
const COLUMNS = [5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 2500];

/** Cells may be smaller than the largest ones that fit by this factor, if more of the width is used. */
const MIN_PART_OF_FIT = 0.95;

/** The layout of an array in rows. */
export interface Grid {
  columns: number;
  rows: number;
  /** Cell size at which the whole grid is visible, in CSS pixels. */
  fit: number;
  /** Width of the row labels at the left, in CSS pixels. */
  gutter: number;
}

/**
 * The grid with the largest cells for a number of jobs, of which the last one has an index; the widest
 * one of those that hardly differ. Width and height are in CSS pixels.
 */
export function gridFor(jobs: number, lastIndex: number, width: number, height: number): Grid {
  const gutter = LABEL_SPACE_PX + DIGIT_PX * String(lastIndex).length;
  let best: Grid = { columns: 1, rows: jobs, fit: 0, gutter };
  for (const columns of COLUMNS) {
    const rows = Math.ceil(jobs / columns);
    const fit = Math.min((width - gutter) / columns, height / rows, MAX_FIT_CELL_PX);
    if (fit >= best.fit * MIN_PART_OF_FIT) best = { columns, rows, fit, gutter };
    if (columns >= jobs) break;
  }
  return best;
}

/** The visible part of a grid: cell size and position of its top left corner, in CSS pixels. */
export interface View {
  cell: number;
  x: number;
  y: number;
}

/** The view of the whole grid. */
export function fitView(grid: Grid): View {
  return { cell: grid.fit, x: grid.gutter, y: 0 };
}

/** The view, limited to valid cell sizes and to the edges of the grid. */
export function clamp(view: View, grid: Grid, width: number, height: number): View {
  const cell = Math.min(MAX_CELL_PX, Math.max(grid.fit, view.cell));
  return {
    cell,
    x: limit(Math.min(grid.gutter, width - grid.columns * cell), view.x, grid.gutter),
    y: limit(Math.min(0, height - grid.rows * cell), view.y, 0),
  };
}

/** The view, enlarged by `factor` around the point (x, y). */
export function zoom(view: View, grid: Grid, factor: number, x: number, y: number): View {
  const cell = Math.min(MAX_CELL_PX, Math.max(grid.fit, view.cell * factor));
  const applied = cell / view.cell;
  return { cell, x: x - (x - view.x) * applied, y: y - (y - view.y) * applied };
}

/** The view, moved as little as possible to show the cell at an offset. */
export function scrollIntoView(
  view: View,
  grid: Grid,
  offset: number,
  width: number,
  height: number,
): View {
  const left = (offset % grid.columns) * view.cell;
  const top = Math.floor(offset / grid.columns) * view.cell;
  return {
    cell: view.cell,
    x: limit(grid.gutter - left, view.x, width - view.cell - left),
    y: limit(-top, view.y, height - view.cell - top),
  };
}

/** The offset of the job at a point; null if there is none. */
export function offsetAt(
  view: View,
  grid: Grid,
  jobs: number,
  x: number,
  y: number,
): number | null {
  const column = Math.floor((x - view.x) / view.cell);
  const row = Math.floor((y - view.y) / view.cell);
  if (x < grid.gutter || column < 0 || column >= grid.columns || row < 0) return null;
  const offset = row * grid.columns + column;
  return offset < jobs ? offset : null;
}

function limit(low: number, value: number, high: number): number {
  return Math.max(low, Math.min(high, value));
}

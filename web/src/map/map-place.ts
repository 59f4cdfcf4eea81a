import { clamp, fitView, type Grid, type View } from "./view";

/** A place is `factor,offset`, like `4.5,1234`: how much is enlarged, and the job in the middle. */
const PLACE = /^(\d{1,4}(?:\.\d+)?),(\d{1,9})$/;

/** Whether a text is a place of a map, like `4.5,1234`. */
export function isMapPlace(text: string): boolean {
  return PLACE.test(text);
}

/**
 * What a view shows, in words that do not depend on the width of the map: for the address. Null for
 * the whole grid. `width` and `height` are those of the map, in CSS pixels.
 */
export function placeOf(view: View, grid: Grid, width: number, height: number): string | null {
  if (view.cell <= grid.fit * 1.001) return null;
  const column = limit(Math.floor((width / 2 - view.x) / view.cell), grid.columns - 1);
  const row = limit(Math.floor((height / 2 - view.y) / view.cell), grid.rows - 1);
  return `${Number((view.cell / grid.fit).toFixed(2))},${row * grid.columns + column}`;
}

/** The view that shows a place; that of the whole grid where it is null or no place. */
export function viewAt(place: string | null, grid: Grid, width: number, height: number): View {
  const [, factor, offset] = place?.match(PLACE) ?? [];
  if (factor === undefined || offset === undefined) return fitView(grid);
  const { cell } = clamp({ cell: grid.fit * Number(factor), x: 0, y: 0 }, grid, width, height);
  const column = Number(offset) % grid.columns;
  const row = Math.floor(Number(offset) / grid.columns);
  const x = width / 2 - (column + 0.5) * cell;
  const y = height / 2 - (row + 0.5) * cell;
  return clamp({ cell, x, y }, grid, width, height);
}

function limit(value: number, highest: number): number {
  return Math.max(0, Math.min(highest, value));
}

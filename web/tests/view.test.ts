import { describe, expect, it } from "vitest";
import { clamp, fitView, gridFor, offsetAt, scrollIntoView, zoom } from "../src/map/view";

const WIDTH = 1052;
const HEIGHT = 400;

describe("gridFor", () => {
  it.each([1, 4, 50, 999, 20_000, 100_000, 1_000_000])("fits %i jobs into the area", (jobs) => {
    const { columns, rows, fit, gutter } = gridFor(jobs, jobs - 1, WIDTH, HEIGHT);
    expect(columns * rows).toBeGreaterThanOrEqual(jobs);
    expect(columns * (rows - 1)).toBeLessThan(jobs);
    expect(columns * fit).toBeLessThanOrEqual(WIDTH - gutter + 1e-9);
    expect(rows * fit).toBeLessThanOrEqual(HEIGHT + 1e-9);
  });

  it("leaves room for the labels of the rows", () => {
    expect(gridFor(1000, 999, WIDTH, HEIGHT).gutter).toBe(31);
    expect(gridFor(1000, 1_000_999, WIDTH, HEIGHT).gutter).toBe(59);
  });

  it("limits the size of the cells of small arrays", () => {
    expect(gridFor(4, 3, WIDTH, HEIGHT).fit).toBe(36);
  });
});

describe("views", () => {
  const grid = gridFor(1000, 999, WIDTH, HEIGHT);
  const fit = fitView(grid);

  it("offsetAt finds the job at a point", () => {
    const x = fit.x + 2.5 * fit.cell;
    const y = fit.y + 1.5 * fit.cell;
    expect(offsetAt(fit, grid, 1000, x, y)).toBe(grid.columns + 2);
  });

  it("offsetAt is null outside of the grid", () => {
    expect(offsetAt(fit, grid, 1000, grid.gutter - 1, 1)).toBeNull();
    expect(offsetAt(fit, grid, 1000, fit.x + 1, -1)).toBeNull();
    expect(offsetAt(fit, grid, 1000, fit.x + grid.columns * fit.cell + 1, 1)).toBeNull();
    expect(offsetAt(fit, grid, 1, fit.x + 1.5 * fit.cell, 1)).toBeNull();
  });

  it("zoom keeps the point under the pointer", () => {
    const zoomed = zoom(fit, grid, 1.5, 300, 100);
    expect(zoomed.cell).toBeCloseTo(1.5 * fit.cell);
    expect((300 - zoomed.x) / zoomed.cell).toBeCloseTo((300 - fit.x) / fit.cell);
    expect((100 - zoomed.y) / zoomed.cell).toBeCloseTo((100 - fit.y) / fit.cell);
  });

  it("zoom stops at its limits", () => {
    expect(zoom(fit, grid, 1000, 0, 0).cell).toBe(48);
    expect(zoom(fit, grid, 0.001, 0, 0).cell).toBe(grid.fit);
  });

  it("clamp keeps the edges of the grid at the edges of the canvas", () => {
    const large = { cell: 40, x: 5000, y: 5000 };
    expect(clamp(large, grid, WIDTH, HEIGHT)).toEqual({ cell: 40, x: grid.gutter, y: 0 });
    const far = clamp({ cell: 40, x: -1e6, y: -1e6 }, grid, WIDTH, HEIGHT);
    expect(far.x + grid.columns * 40).toBe(WIDTH);
    expect(far.y + grid.rows * 40).toBe(HEIGHT);
  });

  it("scrollIntoView moves no further than needed", () => {
    const view = { cell: 40, x: grid.gutter, y: 0 };
    expect(scrollIntoView(view, grid, 0, WIDTH, HEIGHT)).toEqual(view);
    const moved = scrollIntoView(view, grid, 999, WIDTH, HEIGHT);
    expect(moved.x + ((999 % grid.columns) + 1) * 40).toBeLessThanOrEqual(WIDTH);
    expect(moved.y + (Math.floor(999 / grid.columns) + 1) * 40).toBeCloseTo(HEIGHT);
  });
});

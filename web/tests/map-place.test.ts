import { describe, expect, it } from "vitest";
import { placeOf, viewAt } from "../src/map/map-place";
import { fitView, gridFor, offsetAt, zoom } from "../src/map/view";

const [JOBS, WIDTH, HEIGHT] = [5000, 1150, 420];
const grid = gridFor(JOBS, JOBS - 1, WIDTH, HEIGHT);

describe("placeOf", () => {
  it("is null for the whole grid", () => {
    expect(placeOf(fitView(grid), grid, WIDTH, HEIGHT)).toBeNull();
  });

  it("tells how much is enlarged, and the job in the middle", () => {
    const view = zoom(fitView(grid), grid, 2, WIDTH / 2, HEIGHT / 2);
    const middle = offsetAt(view, grid, JOBS, WIDTH / 2, HEIGHT / 2);
    expect(placeOf(view, grid, WIDTH, HEIGHT)).toBe(`2,${middle}`);
  });
});

describe("viewAt", () => {
  it("shows the same job in the middle, also on a map of another size", () => {
    for (const [width, height] of [
      [WIDTH, HEIGHT],
      [600, 560],
    ] as const) {
      const other = gridFor(JOBS, JOBS - 1, width, height);
      const view = viewAt("3,2525", other, width, height);
      expect(view.cell).toBeCloseTo(3 * other.fit);
      expect(placeOf(view, other, width, height)).toBe("3,2525");
    }
  });

  it("stays inside of the grid", () => {
    const { cell, y } = viewAt("9999,4999", grid, WIDTH, HEIGHT);
    expect(cell).toBe(48);
    expect(y).toBe(HEIGHT - grid.rows * cell);
  });

  it.each([null, "", "2", "x,3", "2,-1"])("takes %j as the whole grid", (place) => {
    expect(viewAt(place, grid, WIDTH, HEIGHT)).toEqual(fitView(grid));
  });
});

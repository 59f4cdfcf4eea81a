import { describe, expect, it } from "vitest";
import { settleOrder } from "../src/settled-order";

type Row = [name: string, size: number];

const settle = (earlier: string[], ...rows: Row[]) =>
  settleOrder(
    earlier,
    rows,
    ([name]) => name,
    ([, size]) => size,
  ).map(([name]) => name);

describe("settleOrder", () => {
  it("keeps the given order at first", () => {
    expect(settle([], ["a", 9], ["b", 8], ["c", 1])).toEqual(["a", "b", "c"]);
  });

  it("keeps the earlier order of rows of similar sizes", () => {
    expect(settle(["a", "b"], ["b", 10], ["a", 9])).toEqual(["a", "b"]);
  });

  it("moves a row above all that it is clearly larger than", () => {
    expect(settle(["a", "b", "c", "d"], ["c", 30], ["a", 25], ["b", 10], ["d", 1])).toEqual([
      "a",
      "c",
      "b",
      "d",
    ]);
  });

  it("adds new rows at the end, unless they are clearly larger", () => {
    expect(settle(["a", "b"], ["x", 20], ["a", 10], ["y", 9], ["b", 6])).toEqual([
      "x",
      "a",
      "b",
      "y",
    ]);
  });

  it("keeps the order of rows that are small", () => {
    expect(settle(["a", "b"], ["b", 5], ["a", 1])).toEqual(["a", "b"]);
    expect(settle(["a", "b"], ["b", 6], ["a", 1])).toEqual(["b", "a"]);
  });

  it("forgets rows that are gone", () => {
    expect(settle(["a", "b"], ["b", 2])).toEqual(["b"]);
  });
});

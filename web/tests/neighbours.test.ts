import { describe, expect, it } from "vitest";
import { neighboursOf } from "../src/failures/neighbours";

describe("neighboursOf", () => {
  it.each([
    ["", 5, null, null],
    ["5", 5, null, null],
    ["3,5,9", 5, 3, 9],
    ["3,9", 5, 3, 9],
    ["1-4,6-8", 5, 4, 6],
    ["3-9", 5, 4, 6],
    ["1,5-9", 5, 1, 6],
    ["1-5,9", 5, 4, 9],
    ["1-5", 5, 4, null],
    ["5-9", 5, null, 6],
    ["7-9", 5, null, 7],
    ["1-2", 5, 2, null],
  ])("finds those in %j around %d", (indices, index, previous, next) => {
    expect(neighboursOf(indices, index)).toEqual({ previous, next });
  });
});

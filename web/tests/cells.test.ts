import { describe, expect, it } from "vitest";
import {
  CELL_STATES,
  type CellState,
  decodeCells,
  indicesOf,
  type JobIndices,
  SEVERITY,
} from "../src/map/cells";

const NONE = {
  submitted: "",
  running: "",
  done: "",
  failed: "",
  held: "",
  terminated: "",
  late: "",
  lost: "",
};

/** The states of an array's cells, by their names. */
function statesOf(indices: Partial<JobIndices> & { jobCount: number }): CellState[] {
  const cells = decodeCells({ ...NONE, firstIndex: 0, ...indices });
  return [...cells].map((code) => CELL_STATES[code] as CellState);
}

describe("decodeCells", () => {
  it("is pending where no state lists an index", () => {
    expect(statesOf({ jobCount: 3 })).toEqual(["PENDING", "PENDING", "PENDING"]);
  });

  it("reads single indices and ranges", () => {
    expect(statesOf({ jobCount: 6, done: "0,2-3", failed: "5" })).toEqual([
      "DONE",
      "PENDING",
      "DONE",
      "DONE",
      "PENDING",
      "FAILED",
    ]);
  });

  it("counts from the first index", () => {
    expect(statesOf({ jobCount: 3, firstIndex: 10, done: "10", failed: "12" })).toEqual([
      "DONE",
      "PENDING",
      "FAILED",
    ]);
  });

  it("prefers late and lost to running", () => {
    expect(statesOf({ jobCount: 4, running: "0-3", late: "1", lost: "3" })).toEqual([
      "RUNNING",
      "LATE",
      "RUNNING",
      "LOST",
    ]);
  });

  it("decodes an array of a million jobs", () => {
    const states = decodeCells({ ...NONE, firstIndex: 1, jobCount: 1_000_000, done: "1-1000000" });
    expect(states.every((code) => CELL_STATES[code] === "DONE")).toBe(true);
  });
});

describe("indicesOf", () => {
  it("lists runs in the format of the API", () => {
    const cells = decodeCells({ ...NONE, firstIndex: 1, jobCount: 10, failed: "1,3-4,9-10" });
    expect(indicesOf(cells, "FAILED", 1)).toBe("1,3-4,9-10");
    expect(indicesOf(cells, "PENDING", 1)).toBe("2,5-8");
  });

  it("is empty without a cell in the state", () => {
    expect(indicesOf(new Uint8Array(3), "LOST", 0)).toBe("");
    expect(indicesOf(new Uint8Array(0), "PENDING", 0)).toBe("");
  });
});

describe("SEVERITY", () => {
  it("differs for all states", () => {
    expect(new Set(SEVERITY).size).toBe(CELL_STATES.length);
  });

  it("is highest for failed and lowest for done", () => {
    const of = (state: CellState) => SEVERITY[CELL_STATES.indexOf(state)];
    expect(of("FAILED")).toBe(Math.max(...SEVERITY));
    expect(of("DONE")).toBe(Math.min(...SEVERITY));
  });
});

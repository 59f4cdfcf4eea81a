import { describe, expect, it } from "vitest";
import {
  CELL_STATES,
  type CellState,
  DIMMED,
  decodeCells,
  highlightIndices,
  highlightState,
  indicesOf,
  type JobIndices,
  severityOf,
  stateOf,
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

describe("severityOf", () => {
  const severities = CELL_STATES.map((_, code) => severityOf(code));

  it("differs for all states", () => {
    expect(new Set(severities).size).toBe(CELL_STATES.length);
  });

  it("is highest for failed and lowest for done", () => {
    const of = (state: CellState) => severities[CELL_STATES.indexOf(state)];
    expect(of("FAILED")).toBe(Math.max(...severities));
    expect(of("DONE")).toBe(Math.min(...severities));
  });

  it("is lower for all that is not highlighted", () => {
    const dimmed = CELL_STATES.map((_, code) => severityOf(code | DIMMED));
    expect(Math.max(...dimmed)).toBeLessThan(Math.min(...severities));
  });
});

describe("highlighted cells", () => {
  const cells = decodeCells({ ...NONE, firstIndex: 1, jobCount: 5, failed: "1,3-4", held: "5" });
  const highlighted = (found: Uint8Array) =>
    [...found.keys()].filter((offset) => !((found[offset] ?? 0) & DIMMED));

  it("are those of a state", () => {
    const found = highlightState(cells, "FAILED");
    expect(highlighted(found)).toEqual([0, 2, 3]);
    expect([...found].map(stateOf)).toEqual([...cells].map(stateOf));
  });

  it("are those of some indices", () => {
    const found = highlightIndices(cells, "2-3,5", 1);
    expect(highlighted(found)).toEqual([1, 2, 4]);
    expect([...found].map(stateOf)).toEqual([...cells].map(stateOf));
  });

  it("are none without indices", () => {
    expect(highlighted(highlightIndices(cells, "", 1))).toEqual([]);
  });
});

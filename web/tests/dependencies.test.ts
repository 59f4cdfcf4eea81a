import { describe, expect, it } from "vitest";
import { parseDependencies } from "../src/process-graph/dependencies";

const PROCESSES = new Set(["clean", "fit", "merge"]);
const GRAPH = { fit: ["clean"], merge: ["fit", "fit"] };
const EDGES = [
  { from: "clean", to: "fit" },
  { from: "fit", to: "merge" },
];

describe("parseDependencies", () => {
  it("reads an object, and one that was sent as a text", () => {
    const found = { edges: EDGES, unknown: [] };
    expect(parseDependencies(GRAPH, PROCESSES)).toEqual(found);
    expect(parseDependencies(JSON.stringify(GRAPH), PROCESSES)).toEqual(found);
  });

  it("tells names that no process has", () => {
    const graph = { ...GRAPH, merge: ["fit", "plot"], report: ["merge", "plot"] };
    expect(parseDependencies(graph, PROCESSES)).toEqual({
      edges: EDGES,
      unknown: ["plot", "report"],
    });
  });

  it("draws nothing else", () => {
    const pickle = "QlpoOTFBWSZTWU/lCzkAAFIp////be/r6///L///+J///3+ZhbC8EoJQSAgA";
    const others = [null, 3, pickle, "{}", [["clean", "fit"]], {}, { fit: "clean" }, { fit: [1] }];
    for (const other of [...others, { job7: ["job3"] }, { fit: [] }]) {
      expect(parseDependencies(other, PROCESSES)).toBeNull();
    }
  });
});

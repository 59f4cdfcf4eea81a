import { describe, expect, it } from "vitest";
import {
  nameMatcher,
  needsAttention,
  type Ordered,
  orderProcesses,
  parseProcessOrder,
} from "../src/pages/process-order";

/** A process that runs, unless it is said otherwise. */
function process(name: string, fields: Partial<Ordered> = {}): Ordered {
  return {
    name,
    state: "RUNNING",
    outlook: "ON_TRACK",
    stalledSince: null,
    jobCount: 1,
    progress: null,
    ...fields,
  };
}

const PROCESSES = [
  process("done-1", { state: "SUCCEEDED", outlook: "AT_RISK", progress: { ratio: 1 } }),
  process("run-10", { jobCount: 5, progress: { ratio: 0.5 } }),
  process("failed", { state: "FAILED", outlook: "CANNOT_SUCCEED" }),
  process("wait", { state: "PENDING" }),
  process("silent", { stalledSince: "2026-11-28T14:02:00Z" }),
  process("risk", { outlook: "AT_RISK" }),
  process("run-9", { progress: { ratio: 0.2 } }),
  process("hopeless", { outlook: "CANNOT_SUCCEED", jobCount: 9 }),
];

function names(order: string | null): string[] {
  return orderProcesses(PROCESSES, parseProcessOrder(order)).map(({ name }) => name);
}

describe("orderProcesses", () => {
  it("has what needs attention first, unless the address says otherwise", () => {
    const first = ["hopeless", "risk", "silent", "failed"];
    for (const order of [null, "attention", "toString"]) {
      expect(names(order)).toEqual([...first, "run-10", "run-9", "wait", "done-1"]);
    }
    expect(
      PROCESSES.filter(needsAttention)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(first.sort());
  });

  it("keeps those that are equal as they were given", () => {
    expect(names("given")).toEqual(PROCESSES.map(({ name }) => name));
    expect(names("jobs").slice(0, 3)).toEqual(["hopeless", "run-10", "done-1"]);
    expect(names("progress").slice(-3)).toEqual(["run-9", "run-10", "done-1"]);
  });

  it("has numbers in names by their size", () => {
    expect(names("name").slice(3, 6)).toEqual(["risk", "run-9", "run-10"]);
  });
});

describe("nameMatcher", () => {
  it("finds all words, anywhere and in any case", () => {
    const isFound = nameMatcher("12 FIT ");
    expect(["fit-120", "12-fit", "fit-21"].filter(isFound)).toEqual(["fit-120", "12-fit"]);
    expect(nameMatcher("")("anything")).toBe(true);
  });
});

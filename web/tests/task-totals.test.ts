import { describe, expect, it } from "vitest";
import { describeOutlook } from "../src/outlook";
import { failingIcon } from "../src/pages/favicon";
import { groupTasks, parseGrouping } from "../src/pages/task-groups";
import { type Summable, totalsOf } from "../src/pages/task-totals";

const NO_JOBS = {
  total: 0,
  pending: 0,
  submitted: 0,
  held: 0,
  running: 0,
  late: 0,
  lost: 0,
  done: 0,
  failed: 0,
  terminated: 0,
};

function task(changes: Partial<Summable>): Summable {
  return {
    state: "RUNNING",
    outlook: "ON_TRACK",
    finishedAt: null,
    rate: null,
    stalledSince: null,
    counts: NO_JOBS,
    ...changes,
  };
}

describe("totalsOf", () => {
  it("adds up jobs and rates, and counts tasks by state and by need", () => {
    const totals = totalsOf([
      task({ rate: 2, counts: { ...NO_JOBS, total: 5, done: 3, lost: 2 } }),
      task({ rate: 0.5, outlook: "AT_RISK", counts: { ...NO_JOBS, total: 2, failed: 2 } }),
      task({ outlook: "CANNOT_SUCCEED", stalledSince: "2026-11-24T12:00:00Z" }),
      task({ outlook: "CANNOT_SUCCEED", state: "FAILED", finishedAt: "2026-11-24T12:00:00Z" }),
    ]);
    expect(totals).toMatchObject({ tasks: 4, cannotSucceed: 1, atRisk: 1, stalled: 1, rate: 2.5 });
    expect(totals.counts).toMatchObject({ total: 7, done: 3, failed: 2, lost: 2 });
    expect([...totals.states]).toEqual([
      ["RUNNING", 3],
      ["FAILED", 1],
    ]);
  });

  it("has no rate where no task has one", () => expect(totalsOf([task({})]).rate).toBeNull());
});

describe("describeOutlook", () => {
  it("tells only what there is, unsuccessful jobs first", () => {
    const counts = { ...NO_JOBS, failed: 1200, terminated: 1, lost: 2, held: 1 };
    expect(describeOutlook("AT_RISK", counts)).toBe("at risk: 1,201 unsuccessful, 2 lost, 1 held");
    expect(describeOutlook("CANNOT_SUCCEED", { ...NO_JOBS, failed: 1 })).toBe(
      "cannot succeed: 1 unsuccessful",
    );
    expect(describeOutlook("AT_RISK", { ...NO_JOBS, lost: null })).toBe("at risk");
    expect(describeOutlook("ON_TRACK", counts)).toBe("on track");
  });
});

describe("groupTasks", () => {
  const tasks = [
    { id: 1, username: null, tags: [] },
    { id: 2, username: "grace", tags: ["b", "a"] },
    { id: 3, username: "ada", tags: ["a"] },
  ];
  const idsOf = (by: "user" | "tag") =>
    groupTasks(tasks, by).map((group) => [group.name, group.tasks.map(({ id }) => id)]);

  it("keeps the order of the tasks, and has those without a group last", () => {
    expect(idsOf("user")).toEqual([
      ["grace", [2]],
      ["ada", [3]],
      [null, [1]],
    ]);
  });

  it("has a task in the group of each of its tags", () => {
    expect(idsOf("tag")).toEqual([
      ["b", [2]],
      ["a", [2, 3]],
      [null, [1]],
    ]);
  });

  it("is chosen by the address", () => {
    expect(parseGrouping(new URLSearchParams("group=tag"))).toBe("tag");
    expect(parseGrouping(new URLSearchParams("group=toString"))).toBeNull();
  });
});

describe("failingIcon", () => {
  it("has the number, at most two digits of it", () => {
    expect(decodeURIComponent(failingIcon(7))).toContain(">7</text>");
    expect(decodeURIComponent(failingIcon(2000))).toContain(">99+</text>");
  });
});

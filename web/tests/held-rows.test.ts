import { describe, expect, it } from "vitest";
import { holdRows } from "../src/held-rows";

interface Row {
  id: string;
  state: string;
}

const row = (id: string, state = "running"): Row => ({ id, state });
const keyOf = ({ id }: Row) => id;

describe("holdRows", () => {
  const held = [row("a"), row("b"), row("c")];

  it("keeps the order, with the latest content", () => {
    const latest = [row("c"), row("a", "failed"), row("b")];
    const { rows, added, gone, isBehind } = holdRows(held, latest, keyOf);
    expect(rows).toEqual([row("a", "failed"), row("b"), row("c")]);
    expect([added, gone.size, isBehind]).toEqual([0, 0, true]);
  });

  it("counts new rows, and keeps those that are not listed any more", () => {
    const { rows, added, gone, isBehind } = holdRows(held, [row("x"), row("a"), row("y")], keyOf);
    expect(rows.map(keyOf)).toEqual(["a", "b", "c"]);
    expect([added, [...gone], isBehind]).toEqual([2, ["b", "c"], true]);
  });

  it("is not behind while only the content changes", () => {
    const latest = held.map(({ id }) => row(id, "done"));
    expect(holdRows(held, latest, keyOf)).toMatchObject({ rows: latest, isBehind: false });
  });

  it("is behind if the last rows are gone", () => {
    expect(holdRows(held, held.slice(0, 2), keyOf).isBehind).toBe(true);
  });
});

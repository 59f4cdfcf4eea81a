import { describe, expect, it } from "vitest";
import { arrowPath } from "../src/process-graph/arrow-path";
import { NODE_HEIGHT_PX, NODE_WIDTH_PX } from "../src/process-graph/graph-layout";
import { computeLayout } from "../src/process-graph/layout";
import { nearestNode } from "../src/process-graph/nearest";

const DIAMOND = {
  names: ["a", "b", "c", "d", "alone"],
  edges: [
    { from: "a", to: "b" },
    { from: "a", to: "c" },
    { from: "b", to: "d" },
    { from: "c", to: "d" },
  ],
};

/** The places of the processes of a layout, by name. */
function placesOf({ nodes }: ReturnType<typeof computeLayout>) {
  return Object.fromEntries(nodes.map((node) => [node.name, node]));
}

describe("computeLayout", () => {
  it("places each process to the right of those it waits for, without overlaps", () => {
    const layout = computeLayout(DIAMOND);
    const { a, b, c, d } = placesOf(layout);
    expect(a?.x).toBeLessThan(b?.x ?? 0);
    expect(b?.x).toBe(c?.x);
    expect(c?.x).toBeLessThan(d?.x ?? 0);
    for (const one of layout.nodes) {
      expect(one.x + NODE_WIDTH_PX).toBeLessThanOrEqual(layout.width);
      expect(one.y + NODE_HEIGHT_PX).toBeLessThanOrEqual(layout.height);
      const overlaps = layout.nodes.filter(
        (other) =>
          Math.abs(one.x - other.x) < NODE_WIDTH_PX && Math.abs(one.y - other.y) < NODE_HEIGHT_PX,
      );
      expect(overlaps).toEqual([one]);
    }
  });

  it("draws lines from the end of one process to the beginning of another, as arrows", () => {
    const layout = computeLayout(DIAMOND);
    const { a, b } = placesOf(layout);
    const [line] = layout.edges;
    expect(line?.points[0]).toEqual({
      x: (a?.x ?? 0) + NODE_WIDTH_PX,
      y: (a?.y ?? 0) + NODE_HEIGHT_PX / 2,
    });
    expect(line?.points.at(-1)).toEqual({ x: b?.x, y: (b?.y ?? 0) + NODE_HEIGHT_PX / 2 });
    expect(arrowPath(line?.points ?? [])).toMatch(/^M[\d. ]+(Q[\d. ]+)*L[\d. ]+M[\d. ]+L[\d. ]+L/);
  });

  it("draws cycles, and processes that wait for themselves", () => {
    const edges = [...DIAMOND.edges, { from: "d", to: "a" }, { from: "b", to: "b" }];
    const layout = computeLayout({ names: DIAMOND.names, edges });
    expect(layout.edges.every(({ points }) => points.length > 1)).toBe(true);
  });
});

describe("nearestNode", () => {
  it("leads along the layers and within them", () => {
    const { nodes } = computeLayout(DIAMOND);
    const at = (name: string) => nodes.find((node) => node.name === name) ?? { name, x: 0, y: 0 };
    const [upper, lower] = [at("b"), at("c")].sort((one, other) => one.y - other.y);
    expect(["b", "c"]).toContain(nearestNode(nodes, at("a"), "ArrowRight")?.name);
    expect(nearestNode(nodes, upper ?? at("b"), "ArrowDown")).toEqual(lower);
    expect(nearestNode(nodes, lower ?? at("c"), "ArrowUp")).toEqual(upper);
    expect(nearestNode(nodes, at("d"), "ArrowRight")).toBeUndefined();
    expect(nearestNode(nodes, at("a"), "Enter")).toBeUndefined();
  });
});

import type { GraphLayout } from "./graph-layout";

type Node = GraphLayout["nodes"][number];

/** The directions of the arrow keys. */
const DIRECTIONS: Record<string, { x: number; y: number }> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

/** How much farther a process is to the side than ahead, at the same distance. */
const SIDE_WEIGHT = 3;

/** The nearest process in the direction of an arrow key; undefined without one, and for other keys. */
export function nearestNode(nodes: readonly Node[], from: Node, key: string): Node | undefined {
  const direction = DIRECTIONS[key];
  if (direction === undefined) return undefined;
  let nearest: Node | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const node of nodes) {
    const x = node.x - from.x;
    const y = node.y - from.y;
    const ahead = x * direction.x + y * direction.y;
    const aside = Math.abs(x * direction.y) + Math.abs(y * direction.x);
    const distance = ahead + SIDE_WEIGHT * aside;
    if (ahead > 0 && distance < least) {
      least = distance;
      nearest = node;
    }
  }
  return nearest;
}

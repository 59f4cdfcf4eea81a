import type { Point } from "./graph-layout";

/** Length of an arrow's head, and half of its width, in CSS pixels. */
const HEAD_PX = 7;
const HALF_HEAD_PX = 3.5;

function text({ x, y }: Point): string {
  return `${x.toFixed(1)} ${y.toFixed(1)}`;
}

/** The path of a rounded line along points, with an arrow's head at its end. */
export function arrowPath(points: readonly Point[]): string {
  const first = points[0];
  const last = points.at(-1);
  const before = points.at(-2);
  if (first === undefined || last === undefined || before === undefined) return "";
  const parts = [`M${text(first)}`];
  for (let place = 1; place < points.length - 1; place++) {
    const point = points[place] as Point;
    const next = points[place + 1] as Point;
    parts.push(`Q${text(point)} ${text({ x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 })}`);
  }
  parts.push(`L${text(last)}`);
  const length = Math.hypot(last.x - before.x, last.y - before.y) || 1;
  const along = { x: (last.x - before.x) / length, y: (last.y - before.y) / length };
  const neck = { x: last.x - HEAD_PX * along.x, y: last.y - HEAD_PX * along.y };
  const aside = { x: -HALF_HEAD_PX * along.y, y: HALF_HEAD_PX * along.x };
  const one = text({ x: neck.x + aside.x, y: neck.y + aside.y });
  const other = text({ x: neck.x - aside.x, y: neck.y - aside.y });
  return `${parts.join("")}M${one}L${text(last)}L${other}`;
}

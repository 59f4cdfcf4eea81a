import type { Dependency } from "./dependencies";

/** Size of a process in the drawing, in CSS pixels. */
export const NODE_WIDTH_PX = 196;
export const NODE_HEIGHT_PX = 30;

export interface Point {
  x: number;
  y: number;
}

/** What is to be drawn. */
export interface LayoutRequest {
  names: readonly string[];
  edges: readonly Dependency[];
}

/** Where everything is, in CSS pixels from the top left. */
export interface GraphLayout {
  width: number;
  height: number;
  /** The top left corners of the processes. */
  nodes: { name: string; x: number; y: number }[];
  /** The lines between them, from the end of one process to the beginning of another. */
  edges: { from: string; to: string; points: Point[] }[];
}

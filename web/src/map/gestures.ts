import { placeOn } from "../zoomed";
import { type Grid, type View, zoom } from "./view";

/** What gestures read from a map and do to it. Coordinates are relative to the canvas. */
export interface MapControls {
  view: () => View;
  grid: () => Grid;
  setView: (view: View) => void;
  hover: (x: number, y: number) => void;
  leave: () => void;
  click: (x: number, y: number) => void;
  tap: (x: number, y: number) => void;
}

/** A pointer that moves farther than this is dragging; in CSS pixels. */
const DRAG_THRESHOLD_PX = 5;

interface Point {
  x: number;
  y: number;
}

/**
 * Handles pointers and wheels on a canvas: dragging pans, two fingers or a wheel with Ctrl or ⌘
 * zoom; clicks and taps are told. Other wheels scroll the page; a finger does while the whole map is
 * visible. Returns a function that removes the listeners.
 */
export function attachGestures(canvas: HTMLCanvasElement, controls: MapControls): () => void {
  const pointers = new Map<number, Point>();
  let distanceMoved = 0;

  const local = (event: MouseEvent): Point => placeOn(canvas, event);

  const onDown = (event: PointerEvent) => {
    if (pointers.size === 0) distanceMoved = 0;
    pointers.set(event.pointerId, local(event));
    canvas.setPointerCapture(event.pointerId);
  };
  const onMove = (event: PointerEvent) => {
    const at = local(event);
    const before = pointers.get(event.pointerId);
    if (before === undefined) {
      controls.hover(at.x, at.y);
      return;
    }
    const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, other]) => other);
    pointers.set(event.pointerId, at);
    distanceMoved += Math.hypot(at.x - before.x, at.y - before.y);
    const view = controls.view();
    const [other] = others;
    if (other !== undefined) {
      const factor = distance(at, other) / (distance(before, other) || 1);
      controls.setView(
        zoom(view, controls.grid(), factor, (at.x + other.x) / 2, (at.y + other.y) / 2),
      );
    } else if (distanceMoved > DRAG_THRESHOLD_PX) {
      controls.setView({ ...view, x: view.x + at.x - before.x, y: view.y + at.y - before.y });
    }
  };
  const onUp = (event: PointerEvent) => {
    const at = pointers.get(event.pointerId);
    pointers.delete(event.pointerId);
    if (at === undefined || pointers.size > 0 || distanceMoved > DRAG_THRESHOLD_PX) return;
    if (event.pointerType === "touch") controls.tap(at.x, at.y);
    else controls.click(at.x, at.y);
  };
  const onCancel = (event: PointerEvent) => {
    pointers.delete(event.pointerId);
    distanceMoved = DRAG_THRESHOLD_PX + 1;
  };
  const onWheel = (event: WheelEvent) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const at = local(event);
    const factor = Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.004));
    controls.setView(zoom(controls.view(), controls.grid(), factor, at.x, at.y));
  };
  const onLeave = (event: PointerEvent) => {
    // A finger leaves when it is lifted.
    if (event.pointerType !== "touch") controls.leave();
  };

  canvas.addEventListener("pointerdown", onDown);
  canvas.addEventListener("pointermove", onMove);
  canvas.addEventListener("pointerup", onUp);
  canvas.addEventListener("pointercancel", onCancel);
  canvas.addEventListener("pointerleave", onLeave);
  // React's wheel listeners are passive: they can't keep the page from scrolling.
  canvas.addEventListener("wheel", onWheel, { passive: false });
  return () => {
    canvas.removeEventListener("pointerdown", onDown);
    canvas.removeEventListener("pointermove", onMove);
    canvas.removeEventListener("pointerup", onUp);
    canvas.removeEventListener("pointercancel", onCancel);
    canvas.removeEventListener("pointerleave", onLeave);
    canvas.removeEventListener("wheel", onWheel);
  };
}

function distance(one: Point, other: Point): number {
  return Math.hypot(one.x - other.x, one.y - other.y);
}

import { type Grid, type View, zoom } from "./view";

/** What a hand does to a map. */
export interface Hand {
  view: () => View;
  grid: () => Grid;
  move: (view: View) => void;
  point: (x: number, y: number) => void;
  leave: () => void;
  press: (x: number, y: number) => void;
}

/** Farther than this, in CSS pixels, a press is a drag. */
const SLACK = 5;

interface Touch {
  x: number;
  y: number;
}

/**
 * Pointers and wheels on a canvas: dragging pans, two fingers or a wheel with Ctrl or ⌘ zoom, a
 * press chooses. Where all is shown, wheels and fingers scroll the page. Ends by the result.
 */
export function handle(canvas: HTMLCanvasElement, hand: Hand): () => void {
  const touches = new Map<number, Touch>();
  let travelled = 0;

  const local = (event: MouseEvent): Touch => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const isWhole = () => hand.view().cell <= hand.grid().fit * 1.001;

  const onDown = (event: PointerEvent) => {
    if (touches.size === 0) travelled = 0;
    touches.set(event.pointerId, local(event));
    canvas.setPointerCapture(event.pointerId);
  };
  const onMove = (event: PointerEvent) => {
    const at = local(event);
    const before = touches.get(event.pointerId);
    if (before === undefined) {
      hand.point(at.x, at.y);
      return;
    }
    const others = [...touches].filter(([id]) => id !== event.pointerId).map(([, other]) => other);
    touches.set(event.pointerId, at);
    travelled += Math.hypot(at.x - before.x, at.y - before.y);
    const view = hand.view();
    const [other] = others;
    if (other !== undefined) {
      const factor = distance(at, other) / (distance(before, other) || 1);
      hand.move(zoom(view, hand.grid(), factor, (at.x + other.x) / 2, (at.y + other.y) / 2));
    } else if (travelled > SLACK) {
      hand.move({ ...view, x: view.x + at.x - before.x, y: view.y + at.y - before.y });
    }
  };
  const onUp = (event: PointerEvent) => {
    const at = touches.get(event.pointerId);
    touches.delete(event.pointerId);
    if (at !== undefined && touches.size === 0 && travelled <= SLACK) hand.press(at.x, at.y);
  };
  const onCancel = (event: PointerEvent) => {
    touches.delete(event.pointerId);
    travelled = SLACK + 1;
  };
  const onWheel = (event: WheelEvent) => {
    if (event.ctrlKey || event.metaKey) {
      const at = local(event);
      const factor = Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.004));
      hand.move(zoom(hand.view(), hand.grid(), factor, at.x, at.y));
    } else if (!isWhole()) {
      const view = hand.view();
      hand.move({ ...view, x: view.x - event.deltaX, y: view.y - event.deltaY });
    } else return;
    event.preventDefault();
  };
  const onLeave = () => hand.leave();

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

function distance(one: Touch, other: Touch): number {
  return Math.hypot(one.x - other.x, one.y - other.y);
}

import { type KeyboardEvent, type PointerEvent, useState } from "react";
import { narrow, type Span, zoomSpan } from "./span";

const ZOOM_STEP = 2;
/** A pointer that moves farther than this selects a span; in CSS pixels. */
const DRAG_THRESHOLD_PX = 6;

/** The part of time that a chart shows. */
export interface TimeZoom {
  shown: Span;
  isWhole: boolean;
  /** What is being selected with the mouse: from where to where, in CSS pixels. */
  brush: readonly [number, number] | undefined;
  /** Shows half as much, or twice as much, around a time. */
  zoomIn: (at: number) => void;
  zoomOut: (at: number) => void;
  showAll: () => void;
  /** Handles `+`, `-` and `0`, around a time; false for other keys. */
  handleKey: (event: KeyboardEvent, at: number) => boolean;
  /** Listeners of the chart: dragging with a mouse selects a span. */
  drag: {
    onPointerDown: (event: PointerEvent) => void;
    onPointerMove: (event: PointerEvent) => void;
    onPointerUp: (event: PointerEvent) => void;
    onPointerCancel: () => void;
  };
}

/**
 * Lets a chart show a part of its time.
 *
 * @param whole The time that there is to show.
 * @param timeAt The time at a place of the chart, in CSS pixels from its left, for what it shows.
 */
export function useTimeZoom(whole: Span, timeAt: (place: number, shown: Span) => number): TimeZoom {
  const [picked, setPicked] = useState<Span | null>(null);
  const [brush, setBrush] = useState<readonly [number, number]>();
  const shown = picked ?? whole;
  const placeOf = (event: PointerEvent) =>
    event.clientX - event.currentTarget.getBoundingClientRect().left;
  const zoomIn = (at: number) => setPicked(zoomSpan(shown, whole, 1 / ZOOM_STEP, at));
  const zoomOut = (at: number) => setPicked(zoomSpan(shown, whole, ZOOM_STEP, at));
  const showAll = () => setPicked(null);
  return {
    shown,
    isWhole: picked === null,
    brush,
    zoomIn,
    zoomOut,
    showAll,
    handleKey: (event, at) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return false;
      if (event.key === "+" || event.key === "=") zoomIn(at);
      else if (event.key === "-") zoomOut(at);
      else if (event.key === "0") showAll();
      else return false;
      return true;
    },
    drag: {
      onPointerDown: (event) => {
        if (event.pointerType !== "mouse" || event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        setBrush([placeOf(event), placeOf(event)]);
      },
      onPointerMove: (event) => {
        if (brush) setBrush([brush[0], placeOf(event)]);
      },
      onPointerUp: (event) => {
        if (!brush) return;
        setBrush(undefined);
        const [left, right] = [brush[0], placeOf(event)].sort((one, other) => one - other);
        if (left === undefined || right === undefined || right - left < DRAG_THRESHOLD_PX) return;
        setPicked(narrow({ from: timeAt(left, shown), to: timeAt(right, shown) }, whole));
      },
      onPointerCancel: () => setBrush(undefined),
    },
  };
}

/** Buttons that zoom a chart around a time. */
export function TimeZoomButtons({ zoom, at }: { zoom: TimeZoom; at: number }) {
  return (
    <div className="map-tools">
      <button
        type="button"
        className="button"
        aria-label="Zoom in in time"
        onClick={() => zoom.zoomIn(at)}
      >
        +
      </button>
      <button
        type="button"
        className="button"
        aria-label="Zoom out in time"
        disabled={zoom.isWhole}
        onClick={() => zoom.zoomOut(at)}
      >
        −
      </button>
      <button
        type="button"
        className="button"
        aria-label="Show all of the time"
        disabled={zoom.isWhole}
        onClick={zoom.showAll}
      >
        All
      </button>
    </div>
  );
}

import {
  type KeyboardEvent,
  type PointerEvent,
  useEffect,
  useEffectEvent,
  useMemo,
  useState,
} from "react";
import { placeOn } from "../zoomed";
import { moveSpan, narrow, type Span, zoomSpan } from "./span";
import { formatSpan, parseSpan } from "./span-text";

const ZOOM_STEP = 2;
/** The part of what is shown by which it is moved. */
const MOVE_STEP = 0.5;
/** A pointer that moves farther than this selects a span; in CSS pixels. */
const DRAG_THRESHOLD_PX = 6;
/** Delay after which a new part of time is kept; browsers limit how often an address may change. */
const KEEP_DELAY_MS = 300;

/** Where a page keeps which part of time its chart shows. */
export interface PartOfTime {
  /** What is shown at first; see {@link formatSpan}. Null for all of the time. */
  text: string | null;
  /** Called with what is shown once it has not changed for a moment. */
  keep: (text: string | null) => void;
}

/** The part of time that a chart shows. */
export interface TimeZoom {
  shown: Span;
  isWhole: boolean;
  /** What is being selected with the mouse: from where to where, in CSS pixels. */
  brush: readonly [number, number] | undefined;
  /** Shows half as much, or twice as much, around a time. */
  zoomIn: (at: number) => void;
  zoomOut: (at: number) => void;
  /** Shows what was earlier, or later. */
  goEarlier: () => void;
  goLater: () => void;
  showAll: () => void;
  /** Handles `+`, `-` and `0`, around a time, and Shift with arrows; false for other keys. */
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
 * @param part Where the page keeps which part is shown.
 */
export function useTimeZoom(
  whole: Span,
  timeAt: (place: number, shown: Span) => number,
  part: PartOfTime,
): TimeZoom {
  /** Undefined until something is picked: then the page's part is shown. */
  const [changed, setChanged] = useState<Span | null>();
  const kept = useMemo(() => (part.text === null ? null : parseSpan(part.text)), [part.text]);
  const picked = changed === undefined ? kept && narrow(kept, whole) : changed;
  const keep = useEffectEvent((span: Span | null) => part.keep(span && formatSpan(span)));
  useEffect(() => {
    if (changed === undefined) return;
    const timer = setTimeout(() => keep(changed), KEEP_DELAY_MS);
    return () => clearTimeout(timer);
  }, [changed]);
  const [brush, setBrush] = useState<readonly [number, number]>();
  const shown = picked ?? whole;
  const placeOf = (event: PointerEvent) => placeOn(event.currentTarget, event).x;
  const zoomIn = (at: number) => setChanged(zoomSpan(shown, whole, 1 / ZOOM_STEP, at));
  const zoomOut = (at: number) => setChanged(zoomSpan(shown, whole, ZOOM_STEP, at));
  const move = (by: number) => setChanged(moveSpan(shown, whole, by));
  const goEarlier = () => move(-MOVE_STEP);
  const goLater = () => move(MOVE_STEP);
  const showAll = () => setChanged(null);
  return {
    shown,
    isWhole: picked === null,
    brush,
    zoomIn,
    zoomOut,
    goEarlier,
    goLater,
    showAll,
    handleKey: (event, at) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return false;
      if (event.shiftKey && event.key === "ArrowLeft") goEarlier();
      else if (event.shiftKey && event.key === "ArrowRight") goLater();
      else if (event.key === "+" || event.key === "=") zoomIn(at);
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
        setChanged(narrow({ from: timeAt(left, shown), to: timeAt(right, shown) }, whole));
      },
      onPointerCancel: () => setBrush(undefined),
    },
  };
}

/** Buttons that zoom a chart around a time, and move what it shows. */
export function TimeZoomButtons({ zoom, at }: { zoom: TimeZoom; at: number }) {
  const { isWhole, goEarlier, goLater, zoomIn, zoomOut, showAll } = zoom;
  const buttons = [
    { text: "←", label: "Earlier", disabled: isWhole, onClick: goEarlier },
    { text: "→", label: "Later", disabled: isWhole, onClick: goLater },
    { text: "+", label: "Zoom in in time", disabled: false, onClick: () => zoomIn(at) },
    { text: "−", label: "Zoom out in time", disabled: isWhole, onClick: () => zoomOut(at) },
    { text: "All", label: "Show all of the time", disabled: isWhole, onClick: showAll },
  ];
  return (
    <div className="map-tools">
      {buttons.map(({ text, label, disabled, onClick }) => (
        <button
          key={label}
          type="button"
          className="button"
          aria-label={label}
          disabled={disabled}
          onClick={onClick}
        >
          {text}
        </button>
      ))}
    </div>
  );
}

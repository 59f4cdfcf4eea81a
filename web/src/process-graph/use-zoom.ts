import {
  type MouseEvent,
  type PointerEvent,
  type RefObject,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import { placeOn, zoomOf } from "../zoomed";
import type { Point } from "./graph-layout";

const MIN_ZOOM = 0.05;
const MAX_ZOOM = 1.5;
/** How much a wheel zooms, for each pixel that it would scroll. */
const WHEEL_RATE = 0.002;

/** A mouse that was moved farther does not open what it is released over. */
const DRAG_THRESHOLD_PX = 5;

interface View {
  zoom: number;
  /** A point of the content, and where it is in the frame; in CSS pixels. */
  content: Point;
  at: Point;
}

/** What a frame that can be zoomed shows, and ways to change that. */
export interface Zooming {
  zoom: number;
  zoomBy: (factor: number) => void;
  /** Brings a point of the content to the middle of the frame. */
  centre: (content: Point, zoom?: number) => void;
  /** Listeners of the frame that let the mouse drag the content, also where it is a link. */
  dragging: {
    onPointerDown: () => void;
    onPointerMove: (event: PointerEvent<HTMLElement>) => void;
    onClickCapture: (event: MouseEvent<HTMLElement>) => void;
  };
}

function middleOf(element: HTMLElement): Point {
  return { x: element.clientWidth / 2, y: element.clientHeight / 2 };
}

/** Zooms the content of a frame that scrolls: with Ctrl or ⌘ and the wheel, at the pointer. */
export function useZoom(frame: RefObject<HTMLElement | null>): Zooming {
  const [view, setView] = useState<View>({
    zoom: 1,
    content: { x: 0, y: 0 },
    at: { x: 0, y: 0 },
  });
  /** How far the mouse has moved since it was pressed, in CSS pixels. */
  const dragged = useRef(0);
  useLayoutEffect(() => {
    const { zoom, content, at } = view;
    frame.current?.scrollTo(content.x * zoom - at.x, content.y * zoom - at.y);
  }, [frame, view]);
  useEffect(() => {
    const element = frame.current;
    if (element === null) return;
    const onWheel = (event: WheelEvent) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const at = placeOn(element, event);
      setView((before) => zoomed(element, before, Math.exp(-WHEEL_RATE * event.deltaY), at));
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, [frame]);
  return {
    zoom: view.zoom,
    zoomBy: (factor) => {
      const element = frame.current;
      if (element) setView((before) => zoomed(element, before, factor, middleOf(element)));
    },
    centre: (content, zoom) => {
      const element = frame.current;
      if (element) {
        setView((before) => ({ zoom: clamp(zoom ?? before.zoom), content, at: middleOf(element) }));
      }
    },
    dragging: {
      onPointerDown: () => {
        dragged.current = 0;
      },
      onPointerMove: (event) => {
        if (event.pointerType !== "mouse" || event.buttons !== 1) return;
        dragged.current += Math.hypot(event.movementX, event.movementY);
        if (dragged.current <= DRAG_THRESHOLD_PX) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        const scale = zoomOf(event.currentTarget);
        event.currentTarget.scrollBy(-event.movementX / scale, -event.movementY / scale);
      },
      onClickCapture: (event) => {
        if (dragged.current > DRAG_THRESHOLD_PX) event.preventDefault();
        dragged.current = 0;
      },
    },
  };
}

function clamp(zoom: number): number {
  return Math.min(MAX_ZOOM, Math.max(MIN_ZOOM, zoom));
}

function zoomed(element: HTMLElement, before: View, factor: number, at: Point): View {
  const content = {
    x: (element.scrollLeft + at.x) / before.zoom,
    y: (element.scrollTop + at.y) / before.zoom,
  };
  return { zoom: clamp(before.zoom * factor), content, at };
}

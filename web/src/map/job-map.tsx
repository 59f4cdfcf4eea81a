import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import { flushSync } from "react-dom";
import { Icon } from "../components/icon";
import { useWidth } from "../components/width";
import { labelOf } from "../states";
import { onColoursChange } from "../theme";
import { zoomOf } from "../zoomed";
import { type CellState, stateOf } from "./cells";
import { attachGestures } from "./gestures";
import { placeOf, viewAt } from "./map-place";
import { Painter, type Palette, readPalette } from "./painter";
import { clamp, type Grid, gridFor, offsetAt, scrollIntoView, type View, zoom } from "./view";

/** Maximum height of the map; larger on narrow pages. */
const MAX_HEIGHT_PX = 420;
const MAX_HEIGHT_NARROW_PX = 560;
const NARROW_WIDTH_PX = 600;
const ZOOM_STEP = 1.6;
/** Delay after which a new view is told. */
const PLACE_DELAY_MS = 300;
/** Size of the tooltip of a cell. */
const TOOLTIP_PX = { width: 200, height: 44 };
/** Name of the performance mark of the latest paint. */
const PAINT_MARK = "lamia:map-painted";

interface MapProps {
  /** The cell of each job, of which some may be highlighted. */
  cells: Uint8Array;
  /** The index of the first job. */
  first: number;
  /** Called with the index of a job that is clicked or opened with Enter. */
  onOpen: (index: number) => void;
  /** What is shown at first; see {@link placeOf}. */
  place: string | null;
  /** Called with what is shown once it has not changed for a moment, and before a job is opened. */
  onPlace: (place: string | null) => void;
}

function usePalette(canvas: { current: HTMLCanvasElement | null }): Palette | undefined {
  const [palette, setPalette] = useState<Palette>();
  useEffect(() => {
    const read = () => {
      if (canvas.current) setPalette(readPalette(canvas.current));
    };
    read();
    // A page that is printed is frozen right after this.
    return onColoursChange(() => flushSync(read));
  }, [canvas]);
  return palette;
}

/** The map of an array: a cell for each job, with zoom, pan, tooltips and keyboard control. */
export function JobMap({ cells, first, onOpen, place, onPlace }: MapProps) {
  const [frame, width] = useWidth<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const palette = usePalette(canvas);
  const maxHeight = width < NARROW_WIDTH_PX ? MAX_HEIGHT_NARROW_PX : MAX_HEIGHT_PX;
  const grid = useMemo(
    () => gridFor(cells.length, first + cells.length - 1, Math.max(200, width), maxHeight),
    [cells.length, first, width, maxHeight],
  );
  const height = Math.ceil(Math.min(maxHeight, grid.rows * grid.fit));
  const [view, setView] = useState<View>();
  const [selected, setSelected] = useState<number | null>(null);
  const [isTapped, setTapped] = useState(false);
  const shown = useMemo(
    () => clamp(view ?? viewAt(place, grid, width, height), grid, width, height),
    [view, place, grid, width, height],
  );
  const painter = useMemo(
    () => (palette ? new Painter(cells, grid, palette, first) : undefined),
    [cells, grid, palette, first],
  );
  const open = (index: number) => {
    if (view !== undefined) onPlace(placeOf(shown, grid, width, height));
    onOpen(index);
  };
  const showAll = () => {
    setView(undefined);
    onPlace(null);
  };
  const latest = useRef({ shown, grid, open, onPlace });
  useEffect(() => {
    latest.current = { shown, grid, open, onPlace };
  });

  useEffect(() => {
    if (view === undefined) return;
    const timer = setTimeout(() => {
      latest.current.onPlace(placeOf(shown, grid, width, height));
    }, PLACE_DELAY_MS);
    return () => clearTimeout(timer);
  }, [view, shown, grid, width, height]);

  useEffect(() => {
    if (painter === undefined || width === 0) return;
    const paint = () => {
      if (canvas.current === null) return;
      const ratio = window.devicePixelRatio * zoomOf(canvas.current);
      const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
      if (canvas.current.width !== wide) canvas.current.width = wide;
      if (canvas.current.height !== high) canvas.current.height = high;
      painter.paint(canvas.current, ratio, shown, selected);
      performance.clearMarks(PAINT_MARK);
      performance.mark(PAINT_MARK);
    };
    if (matchMedia("print").matches) return paint();
    const request = requestAnimationFrame(paint);
    return () => cancelAnimationFrame(request);
  }, [painter, shown, selected, width, height]);

  useEffect(() => {
    if (canvas.current === null) return;
    const offsetUnder = (x: number, y: number) =>
      offsetAt(latest.current.shown, latest.current.grid, cells.length, x, y);
    return attachGestures(canvas.current, {
      view: () => latest.current.shown,
      grid: () => latest.current.grid,
      setView: (next) => {
        // Several moves may happen in one frame: each continues from the previous one.
        latest.current.shown = next;
        setView(next);
      },
      hover: (x, y) => {
        setTapped(false);
        setSelected(offsetUnder(x, y));
      },
      leave: () => setSelected(null),
      click: (x, y) => {
        const offset = offsetUnder(x, y);
        if (offset !== null) latest.current.open(first + offset);
      },
      // A finger covers several cells: it is told first which job that is.
      tap: (x, y) => {
        setTapped(true);
        setSelected(offsetUnder(x, y));
      },
    });
  }, [cells.length, first]);

  const zoomBy = (factor: number) => {
    const { x, y } =
      selected === null ? { x: width / 2, y: height / 2 } : topCentre(shown, grid, selected);
    setView(clamp(zoom(shown, grid, factor, x, y), grid, width, height));
  };
  const moveBy = (by: number) => {
    const offset = selected === null ? 0 : Math.max(0, Math.min(cells.length - 1, selected + by));
    setSelected(offset);
    setView(clamp(scrollIntoView(shown, grid, offset, width, height), grid, width, height));
  };
  const handleKey = (key: string): boolean => {
    if (key === "ArrowLeft") moveBy(-1);
    else if (key === "ArrowRight") moveBy(1);
    else if (key === "ArrowUp") moveBy(-grid.columns);
    else if (key === "ArrowDown") moveBy(grid.columns);
    else if (key === "Home") moveBy(-cells.length);
    else if (key === "End") moveBy(cells.length);
    else if (key === "+" || key === "=") zoomBy(ZOOM_STEP);
    else if (key === "-") zoomBy(1 / ZOOM_STEP);
    else if (key === "0") showAll();
    else if (key === "Escape") setSelected(null);
    else if (key === "Enter" && selected !== null) open(first + selected);
    else return false;
    return true;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (handleKey(event.key)) event.preventDefault();
  };

  const isFitted = shown.cell <= grid.fit;
  const state = selected === null ? undefined : stateOf(cells[selected] ?? 0);
  return (
    <div className="map">
      <div
        ref={frame}
        className="map-frame"
        role="application"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the map has keyboard control
        tabIndex={0}
        aria-label={`Map of ${cells.length} jobs. Arrow keys select a job, Enter opens it, plus and minus zoom.`}
        onKeyDown={onKeyDown}
      >
        <canvas
          ref={canvas}
          data-columns={grid.columns}
          data-cell={shown.cell}
          data-x={shown.x}
          data-y={shown.y}
          style={{ height: `${height}px`, touchAction: isFitted ? "pan-y" : "none" }}
        />
        <p className="map-readout" aria-live="polite">
          {selected !== null && state && (
            <Tooltip
              index={first + selected}
              state={state}
              {...topCentre(shown, grid, selected)}
              cell={shown.cell}
              width={width}
              onOpen={isTapped ? () => open(first + selected) : null}
            />
          )}
        </p>
      </div>
      <div className="map-foot">
        <p className="quiet with-mouse">
          Hover over a cell to identify it, click to open the job. Zoom with Ctrl + wheel or two
          fingers, then drag.
        </p>
        <p className="quiet with-fingers">
          Tap a cell to identify it, then its label to open the job. Zoom with two fingers.
        </p>
        <div className="map-tools">
          <button
            type="button"
            className="button"
            aria-label="Zoom in"
            onClick={() => zoomBy(ZOOM_STEP)}
          >
            +
          </button>
          <button
            type="button"
            className="button"
            aria-label="Zoom out"
            disabled={isFitted}
            onClick={() => zoomBy(1 / ZOOM_STEP)}
          >
            −
          </button>
          <button type="button" className="button" disabled={isFitted} onClick={showAll}>
            All
          </button>
        </div>
      </div>
    </div>
  );
}

/** The top centre of a cell on the canvas, in CSS pixels. */
function topCentre(view: View, grid: Grid, offset: number): { x: number; y: number } {
  return {
    x: view.x + ((offset % grid.columns) + 0.5) * view.cell,
    y: view.y + Math.floor(offset / grid.columns) * view.cell,
  };
}

interface TooltipProps {
  index: number;
  state: CellState;
  /** The top centre of the cell. */
  x: number;
  y: number;
  cell: number;
  width: number;
  /** Opens the job, if the tooltip can be pressed for that. */
  onOpen: (() => void) | null;
}

/** The tooltip of a cell. */
function Tooltip({ index, state, x, y, cell, width, onOpen }: TooltipProps) {
  const isAtTop = y < TOOLTIP_PX.height;
  const left = Math.max(TOOLTIP_PX.width / 2, Math.min(width - TOOLTIP_PX.width / 2, x));
  const place = {
    className: isAtTop ? "map-tip is-below" : "map-tip",
    style: { left: `${left}px`, top: `${isAtTop ? y + cell : y}px` },
  };
  const words = (
    <>
      <strong>Job {index}</strong> <Icon name={state} />{" "}
      {state === "LATE" || state === "LOST" ? `running, ${labelOf(state)}` : labelOf(state)}
    </>
  );
  if (onOpen === null) return <span {...place}>{words}</span>;
  return (
    <button type="button" {...place} onClick={onOpen}>
      {words} <span aria-hidden="true">›</span>
    </button>
  );
}

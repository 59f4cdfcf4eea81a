import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import { Icon } from "../parts/icon";
import { useWidth } from "../parts/width";
import { onColours } from "../theme";
import { word } from "../words";
import { KINDS, type Kind } from "./cells";
import { handle } from "./gestures";
import { Painter, type Palette, readPalette } from "./painter";
import { clamp, type Grid, gridFor, placeAt, reveal, type View, whole, zoom } from "./view";

/** The most that the map may take of the page's height, in CSS pixels: more where it is narrow. */
const TALLEST = 420;
const TALLEST_NARROW = 560;
const NARROW = 600;
const STEP = 1.6;
/** Room that the readout of a cell takes, in CSS pixels. */
const TIP = { width: 190, height: 40 };
/** The mark, in the browser's timeline, of the latest painting. */
const PAINTED = "lamia:map-painted";

interface MapProps {
  /** One byte a job: the place of its kind in {@link KINDS}. */
  cells: Uint8Array;
  /** The index of the first job. */
  first: number;
  /** The kind to bring out, if any. */
  picked: Kind | null;
  /** Told the index of a job that is clicked, or on which Enter is pressed. */
  onOpen: (index: number) => void;
}

function usePalette(canvas: { current: HTMLCanvasElement | null }): Palette | undefined {
  const [palette, setPalette] = useState<Palette>();
  useEffect(() => {
    const read = () => {
      if (canvas.current) setPalette(readPalette(canvas.current));
    };
    read();
    return onColours(read);
  }, [canvas]);
  return palette;
}

/** The map of an array: a cell for each job, to be zoomed, moved, pointed at and opened. */
export function JobMap({ cells, first, picked, onOpen }: MapProps) {
  const [frame, width] = useWidth<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const palette = usePalette(canvas);
  const tallest = width < NARROW ? TALLEST_NARROW : TALLEST;
  const grid = useMemo(
    () => gridFor(cells.length, Math.max(200, width), tallest),
    [cells.length, width, tallest],
  );
  const height = Math.ceil(Math.min(tallest, grid.rows * grid.fit));
  const [view, setView] = useState<View>();
  const [chosen, setChosen] = useState<number | null>(null);
  const shown = useMemo(
    () => clamp(view ?? whole(grid), grid, width, height),
    [view, grid, width, height],
  );
  const painter = useMemo(
    () => (palette ? new Painter(cells, grid, palette, first, picked) : undefined),
    [cells, grid, palette, first, picked],
  );
  const state = useRef({ shown, grid, onOpen });
  useEffect(() => {
    state.current = { shown, grid, onOpen };
  });

  useEffect(() => {
    if (painter === undefined || width === 0) return;
    const request = requestAnimationFrame(() => {
      if (canvas.current === null) return;
      const ratio = window.devicePixelRatio;
      const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
      if (canvas.current.width !== wide) canvas.current.width = wide;
      if (canvas.current.height !== high) canvas.current.height = high;
      painter.paint(canvas.current, shown, chosen);
      performance.clearMarks(PAINTED);
      performance.mark(PAINTED);
    });
    return () => cancelAnimationFrame(request);
  }, [painter, shown, chosen, width, height]);

  useEffect(() => {
    if (canvas.current === null) return;
    const find = (x: number, y: number) =>
      placeAt(state.current.shown, state.current.grid, cells.length, x, y);
    return handle(canvas.current, {
      view: () => state.current.shown,
      grid: () => state.current.grid,
      move: (next) => {
        // Several moves may come between two frames: each goes on from the one before.
        state.current.shown = next;
        setView(next);
      },
      point: (x, y) => setChosen(find(x, y)),
      leave: () => setChosen(null),
      press: (x, y) => {
        const place = find(x, y);
        if (place !== null) state.current.onOpen(first + place);
      },
    });
  }, [cells.length, first]);

  const zoomBy = (factor: number) => {
    const { x, y } = chosen === null ? { x: width / 2, y: height / 2 } : spot(shown, grid, chosen);
    setView(clamp(zoom(shown, grid, factor, x, y), grid, width, height));
  };
  const step = (by: number) => {
    const place = chosen === null ? 0 : Math.max(0, Math.min(cells.length - 1, chosen + by));
    setChosen(place);
    setView(clamp(reveal(shown, grid, place, width, height), grid, width, height));
  };
  const act = (key: string): boolean => {
    if (key === "ArrowLeft") step(-1);
    else if (key === "ArrowRight") step(1);
    else if (key === "ArrowUp") step(-grid.columns);
    else if (key === "ArrowDown") step(grid.columns);
    else if (key === "Home") step(-cells.length);
    else if (key === "End") step(cells.length);
    else if (key === "+" || key === "=") zoomBy(STEP);
    else if (key === "-") zoomBy(1 / STEP);
    else if (key === "0") setView(undefined);
    else if (key === "Escape") setChosen(null);
    else if (key === "Enter" && chosen !== null) onOpen(first + chosen);
    else return false;
    return true;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (act(event.key)) event.preventDefault();
  };

  const isWhole = shown.cell <= grid.fit;
  const kind = chosen === null ? undefined : KINDS[cells[chosen] ?? 0];
  return (
    <div className="map">
      <div
        ref={frame}
        className="map-frame"
        role="application"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it is moved through by keys
        tabIndex={0}
        aria-label={`Map of ${cells.length} jobs. Arrow keys choose a job, Enter opens it, plus and minus zoom.`}
        onKeyDown={onKeyDown}
      >
        <canvas
          ref={canvas}
          data-columns={grid.columns}
          data-cell={shown.cell}
          data-x={shown.x}
          data-y={shown.y}
          style={{ height: `${height}px`, touchAction: isWhole ? "pan-y" : "none" }}
        />
        <p className="map-readout" aria-live="polite">
          {chosen !== null && kind && (
            <Readout
              index={first + chosen}
              kind={kind}
              {...spot(shown, grid, chosen)}
              cell={shown.cell}
              width={width}
            />
          )}
        </p>
      </div>
      <div className="map-foot">
        <p className="quiet">
          Point at a cell; click opens its job. Ctrl and the wheel, or two fingers, zoom.
        </p>
        <div className="map-tools">
          <button
            type="button"
            className="button"
            aria-label="Zoom in"
            onClick={() => zoomBy(STEP)}
          >
            +
          </button>
          <button
            type="button"
            className="button"
            aria-label="Zoom out"
            disabled={isWhole}
            onClick={() => zoomBy(1 / STEP)}
          >
            −
          </button>
          <button
            type="button"
            className="button"
            disabled={isWhole}
            onClick={() => setView(undefined)}
          >
            All
          </button>
        </div>
      </div>
    </div>
  );
}

/** Where on the map the chosen cell lies: the top of its middle, in CSS pixels. */
function spot(view: View, grid: Grid, place: number): { x: number; y: number } {
  return {
    x: view.x + ((place % grid.columns) + 0.5) * view.cell,
    y: view.y + Math.floor(place / grid.columns) * view.cell,
  };
}

interface ReadoutProps {
  index: number;
  kind: Kind;
  /** The top of the middle of its cell. */
  x: number;
  y: number;
  cell: number;
  width: number;
}

/** What a cell stands for, beside it. */
function Readout({ index, kind, x, y, cell, width }: ReadoutProps) {
  const isAtTop = y < TIP.height;
  const left = Math.max(TIP.width / 2, Math.min(width - TIP.width / 2, x));
  return (
    <span
      className={isAtTop ? "map-tip is-below" : "map-tip"}
      style={{ left: `${left}px`, top: `${isAtTop ? y + cell : y}px` }}
    >
      <strong>Job {index}</strong> <Icon sign={kind} />{" "}
      {kind === "LATE" || kind === "LOST" ? `running, ${word(kind)}` : word(kind)}
    </span>
  );
}

import { CELL_STATES, type CellState, DIMMED, severityOf, stateOf } from "./cells";
import type { Grid, View } from "./view";

type Colour = readonly [number, number, number];

/** The colours of the current theme, from the style sheet. */
export interface Palette {
  states: readonly Colour[];
  background: Colour;
  ink: string;
  quiet: string;
  font: string;
}

/** Reads the colours that apply to an element. */
export function readPalette(element: HTMLElement): Palette {
  const probe = document.createElement("span");
  probe.className = "map-colour";
  element.parentElement?.append(probe);
  const style = getComputedStyle(probe);
  const resolve = (name: string): string => {
    probe.style.color = `var(--${name})`;
    return style.color;
  };
  const triple = (name: string): Colour => {
    const [red = 0, green = 0, blue = 0] = (resolve(name).match(/[\d.]+/g) ?? []).map(Number);
    return [red, green, blue];
  };
  const palette = {
    states: CELL_STATES.map((state) => triple(state.toLowerCase())),
    background: triple("card"),
    ink: resolve("ink"),
    quiet: resolve("quiet"),
    font: `11px ${style.fontFamily}`,
  };
  probe.remove();
  return palette;
}

/** Opacity of cells that are not highlighted. */
const DIMMED_OPACITY = 0.18;
/** Smallest cells that are drawn with gaps, and with marks. */
const MIN_GAP_CELL_PX = 5;
const MIN_MARK_CELL_PX = 6;
/** Smaller cells have thin marks, which leave enough of the colour. */
const SMALL_CELL_PX = 10;
const MIN_LABEL_DISTANCE_PX = 22;

/** Draws the cells of an array on a canvas, from an image with one pixel per cell. */
export class Painter {
  private readonly bitmap = document.createElement("canvas");
  private drawnBlockSize = 0;

  /** `first` is the index of the first job. */
  constructor(
    private readonly cells: Uint8Array,
    private readonly grid: Grid,
    private readonly palette: Palette,
    private readonly first: number,
  ) {}

  /**
   * Draws a view of the map on a canvas that has `ratio` pixels for each of the view. `selected` is
   * the offset of the job to outline.
   */
  paint(canvas: HTMLCanvasElement, ratio: number, view: View, selected: number | null): void {
    const context = canvas.getContext("2d");
    if (context === null) return;
    const width = canvas.width / ratio;
    const height = canvas.height / ratio;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.save();
    context.beginPath();
    context.rect(this.grid.gutter, 0, width - this.grid.gutter, height);
    context.clip();
    this.paintCells(context, view, ratio);
    if (view.cell >= MIN_GAP_CELL_PX) this.paintGaps(context, view, width, height);
    if (view.cell >= MIN_MARK_CELL_PX) this.paintMarks(context, view, width, height);
    if (selected !== null) this.paintSelection(context, view, selected);
    context.restore();
    this.paintLabels(context, view, height);
  }

  private paintCells(context: CanvasRenderingContext2D, view: View, ratio: number): void {
    const { columns, rows } = this.grid;
    // If cells are smaller than a pixel, a pixel covers a block and shows its most severe cell.
    const blockSize = Math.max(1, Math.ceil(1 / (view.cell * ratio)));
    if (blockSize !== this.drawnBlockSize) this.drawBitmap(blockSize);
    context.imageSmoothingEnabled = false;
    const { width, height } = this.bitmap;
    const clip = { width: columns / blockSize, height: rows / blockSize };
    context.drawImage(
      this.bitmap,
      0,
      0,
      Math.min(width, clip.width),
      Math.min(height, clip.height),
      view.x,
      view.y,
      columns * view.cell,
      rows * view.cell,
    );
  }

  private drawBitmap(blockSize: number): void {
    const { columns, rows } = this.grid;
    const width = Math.ceil(columns / blockSize);
    const height = Math.ceil(rows / blockSize);
    const colours = this.colours();
    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    if (blockSize === 1) {
      this.cells.forEach((code, offset) => {
        pixels[offset] = colours[code] ?? 0;
      });
    } else {
      const worst = new Int8Array(width * height).fill(-1);
      const severities = Uint8Array.from(colours, (_, cell) => severityOf(cell));
      this.cells.forEach((code, offset) => {
        const row = Math.floor(offset / columns / blockSize);
        const target = row * width + Math.floor((offset % columns) / blockSize);
        const severity = severities[code] ?? 0;
        if (severity > (worst[target] ?? 0)) {
          worst[target] = severity;
          pixels[target] = colours[code] ?? 0;
        }
      });
    }
    this.bitmap.width = width;
    this.bitmap.height = height;
    this.bitmap.getContext("2d")?.putImageData(image, 0, 0);
    this.drawnBlockSize = blockSize;
  }

  /** The colour of each cell as the four bytes of a pixel. */
  private colours(): Uint32Array {
    const bytes = new Uint8ClampedArray(4 * 2 * DIMMED);
    const paint = (cell: number, colour: Colour, opacity: number) => {
      colour.forEach((value, channel) => {
        const background = this.palette.background[channel] ?? 0;
        bytes[4 * cell + channel] = Math.round(value * opacity + background * (1 - opacity));
      });
      bytes[4 * cell + 3] = 255;
    };
    this.palette.states.forEach((colour, code) => {
      paint(code, colour, 1);
      paint(code | DIMMED, colour, DIMMED_OPACITY);
    });
    return new Uint32Array(bytes.buffer);
  }

  private paintGaps(
    context: CanvasRenderingContext2D,
    view: View,
    width: number,
    height: number,
  ): void {
    context.fillStyle = `rgb(${this.palette.background.join(" ")})`;
    const gap = view.cell >= 12 ? 2 : 1;
    const from = Math.max(0, Math.floor((this.grid.gutter - view.x) / view.cell));
    const to = Math.min(this.grid.columns, Math.ceil((width - view.x) / view.cell));
    for (let column = from; column <= to; column += 1) {
      context.fillRect(view.x + column * view.cell - gap / 2, 0, gap, height);
    }
    const top = Math.max(0, Math.floor(-view.y / view.cell));
    const bottom = Math.min(this.grid.rows, Math.ceil((height - view.y) / view.cell));
    for (let row = top; row <= bottom; row += 1) {
      context.fillRect(this.grid.gutter, view.y + row * view.cell - gap / 2, width, gap);
    }
  }

  /** Draws marks on problem states, so that they differ by more than colour. */
  private paintMarks(
    context: CanvasRenderingContext2D,
    view: View,
    width: number,
    height: number,
  ): void {
    const { columns, rows } = this.grid;
    const left = Math.max(0, Math.floor((this.grid.gutter - view.x) / view.cell));
    const right = Math.min(columns - 1, Math.floor((width - view.x) / view.cell));
    const top = Math.max(0, Math.floor(-view.y / view.cell));
    const bottom = Math.min(rows - 1, Math.floor((height - view.y) / view.cell));
    context.strokeStyle = `rgb(${this.palette.background.join(" ")})`;
    context.lineWidth = view.cell < SMALL_CELL_PX ? 1 : Math.max(1.4, view.cell / 10);
    context.beginPath();
    for (let row = top; row <= bottom; row += 1) {
      for (let column = left; column <= right; column += 1) {
        const cell = this.cells[row * columns + column];
        if (cell === undefined || cell & DIMMED) continue;
        drawMark(
          context,
          stateOf(cell),
          view.x + column * view.cell,
          view.y + row * view.cell,
          view.cell,
        );
      }
    }
    context.stroke();
  }

  private paintSelection(context: CanvasRenderingContext2D, view: View, offset: number): void {
    const x = view.x + (offset % this.grid.columns) * view.cell;
    const y = view.y + Math.floor(offset / this.grid.columns) * view.cell;
    const room = Math.max(0, (8 - view.cell) / 2);
    const edge = view.cell + 2 * room;
    context.lineWidth = 2;
    context.strokeStyle = this.palette.ink;
    context.strokeRect(x - room, y - room, edge, edge);
  }

  private paintLabels(context: CanvasRenderingContext2D, view: View, height: number): void {
    context.font = this.palette.font;
    context.fillStyle = this.palette.quiet;
    context.textAlign = "right";
    context.textBaseline = "middle";
    const step = roundUp(MIN_LABEL_DISTANCE_PX / view.cell);
    const top = Math.max(0, Math.floor(-view.y / view.cell / step) * step);
    for (let row = top; row < this.grid.rows; row += step) {
      const y = view.y + (row + 0.5) * view.cell;
      if (y > height - 4) break;
      if (y < 0) continue;
      context.fillText(
        String(this.first + row * this.grid.columns),
        this.grid.gutter - 8,
        Math.max(6, y),
      );
    }
  }
}

function drawMark(
  context: CanvasRenderingContext2D,
  state: CellState,
  x: number,
  y: number,
  cell: number,
): void {
  const low = cell * 0.3;
  const high = cell * 0.7;
  if (state === "FAILED") {
    context.moveTo(x + low, y + low);
    context.lineTo(x + high, y + high);
    context.moveTo(x + high, y + low);
    context.lineTo(x + low, y + high);
  } else if (state === "LOST") {
    context.moveTo(x + high, y + low);
    context.lineTo(x + low, y + high);
  } else if (state === "TERMINATED") {
    const edge = cell < SMALL_CELL_PX ? 1 : high - low;
    context.rect(x + (cell - edge) / 2, y + (cell - edge) / 2, edge, edge);
  } else if (state === "LATE") {
    context.moveTo(x + low, y + cell / 2);
    context.lineTo(x + high, y + cell / 2);
  } else if (state === "HELD") {
    for (const place of [0.4, 0.6]) {
      context.moveTo(x + place * cell, y + low);
      context.lineTo(x + place * cell, y + high);
    }
  }
}

/** The smallest of 1, 2, 5, 10, 20, 50 … that is not below a number. */
function roundUp(value: number): number {
  let decade = 1;
  for (;;) {
    for (const step of [1, 2, 5]) if (step * decade >= value) return step * decade;
    decade *= 10;
  }
}

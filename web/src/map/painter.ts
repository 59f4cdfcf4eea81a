import { CONCERN, KINDS, type Kind } from "./cells";
import { type Grid, GUTTER, type View } from "./view";

type Colour = readonly [number, number, number];

/** The colours of a theme, as the style sheet has them. */
export interface Palette {
  kinds: readonly Colour[];
  paper: Colour;
  ink: string;
  quiet: string;
  font: string;
}

/** Reads the colours that hold for an element now. */
export function readPalette(element: HTMLElement): Palette {
  const probe = document.createElement("span");
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
    kinds: KINDS.map((kind) => triple(kind.toLowerCase())),
    paper: triple("card"),
    ink: resolve("ink"),
    quiet: resolve("quiet"),
    font: `11px ${style.fontFamily}`,
  };
  probe.remove();
  return palette;
}

/** How much of its colour a cell keeps that is not of the picked kind. */
const DIMMED = 0.18;
const GAPS_FROM = 5;
const MARKS_FROM = 8;
const LABEL_DISTANCE = 22;

/** The cells of an array as a picture of a pixel each, and its drawing on a canvas. */
export class Painter {
  private readonly picture = document.createElement("canvas");
  private pooled = 0;

  /** `first` is the index of the first job; `picked` the kind to bring out, if any. */
  constructor(
    private readonly cells: Uint8Array,
    private readonly grid: Grid,
    private readonly palette: Palette,
    private readonly first: number,
    private readonly picked: Kind | null,
  ) {}

  /** Draws what a view shows; `chosen` is the place of the job to be marked. */
  paint(canvas: HTMLCanvasElement, view: View, chosen: number | null): void {
    const context = canvas.getContext("2d");
    if (context === null) return;
    const ratio = window.devicePixelRatio;
    const width = canvas.width / ratio;
    const height = canvas.height / ratio;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.save();
    context.beginPath();
    context.rect(GUTTER, 0, width - GUTTER, height);
    context.clip();
    this.paintCells(context, view, ratio);
    if (view.cell >= GAPS_FROM) this.paintGaps(context, view, width, height);
    if (view.cell >= MARKS_FROM) this.paintMarks(context, view, width, height);
    if (chosen !== null) this.paintChosen(context, view, chosen);
    context.restore();
    this.paintLabels(context, view, height);
  }

  private paintCells(context: CanvasRenderingContext2D, view: View, ratio: number): void {
    const { columns, rows } = this.grid;
    // Below a pixel a cell, pixels stand for squares of cells, so that no failure is skipped.
    const pool = Math.max(1, Math.ceil(1 / (view.cell * ratio)));
    if (pool !== this.pooled) this.draw(pool);
    context.imageSmoothingEnabled = false;
    const { width, height } = this.picture;
    const clip = { width: columns / pool, height: rows / pool };
    context.drawImage(
      this.picture,
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

  private draw(pool: number): void {
    const { columns, rows } = this.grid;
    const width = Math.ceil(columns / pool);
    const height = Math.ceil(rows / pool);
    const colours = this.colours();
    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    if (pool === 1) {
      this.cells.forEach((code, place) => {
        pixels[place] = colours[code] ?? 0;
      });
    } else {
      const worst = new Int8Array(width * height).fill(-1);
      this.cells.forEach((code, place) => {
        const row = Math.floor(place / columns / pool);
        const target = row * width + Math.floor((place % columns) / pool);
        const concern = CONCERN[code] ?? 0;
        if (concern > (worst[target] ?? 0)) {
          worst[target] = concern;
          pixels[target] = colours[code] ?? 0;
        }
      });
    }
    this.picture.width = width;
    this.picture.height = height;
    this.picture.getContext("2d")?.putImageData(image, 0, 0);
    this.pooled = pool;
  }

  /** The colour of each kind as the four bytes of a pixel. */
  private colours(): Uint32Array {
    const bytes = new Uint8ClampedArray(4 * KINDS.length);
    this.palette.kinds.forEach((colour, code) => {
      const kept = this.picked === null || KINDS[code] === this.picked ? 1 : DIMMED;
      colour.forEach((value, channel) => {
        const paper = this.palette.paper[channel] ?? 0;
        bytes[4 * code + channel] = Math.round(value * kept + paper * (1 - kept));
      });
      bytes[4 * code + 3] = 255;
    });
    return new Uint32Array(bytes.buffer);
  }

  private paintGaps(
    context: CanvasRenderingContext2D,
    view: View,
    width: number,
    height: number,
  ): void {
    context.fillStyle = `rgb(${this.palette.paper.join(" ")})`;
    const gap = view.cell >= 12 ? 2 : 1;
    const from = Math.max(0, Math.floor((GUTTER - view.x) / view.cell));
    const to = Math.min(this.grid.columns, Math.ceil((width - view.x) / view.cell));
    for (let column = from; column <= to; column += 1) {
      context.fillRect(view.x + column * view.cell - gap / 2, 0, gap, height);
    }
    const top = Math.max(0, Math.floor(-view.y / view.cell));
    const bottom = Math.min(this.grid.rows, Math.ceil((height - view.y) / view.cell));
    for (let row = top; row <= bottom; row += 1) {
      context.fillRect(GUTTER, view.y + row * view.cell - gap / 2, width, gap);
    }
  }

  /** Signs on what went wrong: colours are never all that tells two kinds apart. */
  private paintMarks(
    context: CanvasRenderingContext2D,
    view: View,
    width: number,
    height: number,
  ): void {
    const { columns, rows } = this.grid;
    const left = Math.max(0, Math.floor((GUTTER - view.x) / view.cell));
    const right = Math.min(columns - 1, Math.floor((width - view.x) / view.cell));
    const top = Math.max(0, Math.floor(-view.y / view.cell));
    const bottom = Math.min(rows - 1, Math.floor((height - view.y) / view.cell));
    context.strokeStyle = `rgb(${this.palette.paper.join(" ")})`;
    context.lineWidth = Math.max(1.2, view.cell / 11);
    context.beginPath();
    for (let row = top; row <= bottom; row += 1) {
      for (let column = left; column <= right; column += 1) {
        const code = this.cells[row * columns + column];
        const kind = code === undefined ? undefined : KINDS[code];
        if (kind === undefined || (this.picked !== null && kind !== this.picked)) continue;
        mark(context, kind, view.x + column * view.cell, view.y + row * view.cell, view.cell);
      }
    }
    context.stroke();
  }

  private paintChosen(context: CanvasRenderingContext2D, view: View, place: number): void {
    const x = view.x + (place % this.grid.columns) * view.cell;
    const y = view.y + Math.floor(place / this.grid.columns) * view.cell;
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
    const step = roundUp(LABEL_DISTANCE / view.cell);
    const top = Math.max(0, Math.floor(-view.y / view.cell / step) * step);
    for (let row = top; row < this.grid.rows; row += step) {
      const y = view.y + (row + 0.5) * view.cell;
      if (y > height - 4) break;
      if (y < 0) continue;
      context.fillText(String(this.first + row * this.grid.columns), GUTTER - 8, Math.max(6, y));
    }
  }
}

function mark(
  context: CanvasRenderingContext2D,
  kind: Kind,
  x: number,
  y: number,
  cell: number,
): void {
  const low = cell * 0.3;
  const high = cell * 0.7;
  if (kind === "FAILED" || kind === "LOST") {
    context.moveTo(x + low, y + low);
    context.lineTo(x + high, y + high);
    context.moveTo(x + high, y + low);
    context.lineTo(x + low, y + high);
  } else if (kind === "TERMINATED") {
    context.rect(x + low, y + low, high - low, high - low);
  } else if (kind === "LATE") {
    context.moveTo(x + low, y + cell / 2);
    context.lineTo(x + high, y + cell / 2);
  }
}

/** The next of 1, 2, 5, 10, 20, 50 … that is not below a number. */
function roundUp(value: number): number {
  let decade = 1;
  for (;;) {
    for (const step of [1, 2, 5]) if (step * decade >= value) return step * decade;
    decade *= 10;
  }
}

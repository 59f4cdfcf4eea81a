/** A value of a table. A list is joined by commas in CSV. */
export type Cell = string | number | null | readonly string[];

/** A row of a table, by the names of its columns, which are the same in all rows. */
export type TableRow = Readonly<Record<string, Cell>>;

/** The form of a file. */
export type TableFormat = "csv" | "json";

const TYPES: Record<TableFormat, string> = { csv: "text/csv", json: "application/json" };

/** What spreadsheets take for the begin of a formula, also after spaces. */
const FORMULA = /^\s*[=+\-@＝＋－＠]|^[\t\r\n]/;

/** A table as a file, to which rows are added page by page. */
export class TableFile {
  private readonly parts: string[] = [];

  constructor(private readonly format: TableFormat) {}

  /** Adds rows. The first of all rows names the columns of a CSV file. */
  add(rows: readonly TableRow[]): void {
    const [first] = rows;
    if (first === undefined) return;
    const isBegin = this.parts.length === 0;
    if (this.format === "csv") {
      const head = isBegin ? [Object.keys(first)] : [];
      const lines = [...head, ...rows.map((row) => Object.values(row))];
      this.parts.push(lines.map((cells) => `${cells.map(csvCell).join(",")}\r\n`).join(""));
    } else {
      const begin = isBegin ? "[\n" : ",\n";
      this.parts.push(begin + rows.map((row) => JSON.stringify(row)).join(",\n"));
    }
  }

  /** The file. */
  finish(): Blob {
    const end = this.format === "csv" ? "" : this.parts.length === 0 ? "[]\n" : "\n]\n";
    return new Blob([...this.parts, end], { type: TYPES[this.format] });
  }
}

/** A value in CSV, as RFC 4180 has it. A text that looks like a formula gets an apostrophe. */
export function csvCell(value: Cell): string {
  if (value === null) return "";
  if (typeof value === "number") return String(value);
  const text = typeof value === "string" ? value : value.join(", ");
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** A name for a file, of texts that may have any character. */
export function fileName(parts: readonly string[], format: TableFormat): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: file names may not have them
  const name = parts.join("-").replaceAll(/[\u0000-\u001f\\/:*?"<>|]+/g, "_");
  return `${name.slice(0, 120)}.${format}`;
}

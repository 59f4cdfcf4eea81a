import { TableFile, type TableFormat, type TableRow } from "./table-file";

/** The largest number of rows in a file: more would take the browser's memory, and minutes. */
export const MAX_ROWS = 50_000;

/** How many rows are read at once: the largest page that every server answers. */
export const ROWS_PER_PAGE = 100;

/** A page of a table. */
export interface TablePage {
  rows: readonly TableRow[];
  /** The cursor at which the next page begins; null after the last one. */
  next: string | null;
}

/** Reads the page of a table that begins at a cursor; the first one for null. */
export type ReadPage = (after: string | null, signal: AbortSignal) => Promise<TablePage>;

/** A file with rows of a table. */
export interface ReadTable {
  file: Blob;
  rows: number;
  /** Whether the table has more than {@link MAX_ROWS} rows, and the file only the first ones. */
  isCut: boolean;
}

/**
 * Reads a table page by page into a file, at most {@link MAX_ROWS} rows of it.
 *
 * Calls `read` with the number of rows so far. Rejects when a page cannot be read, or with an
 * AbortError.
 */
export async function readTable(
  readPage: ReadPage,
  format: TableFormat,
  signal: AbortSignal,
  read: (rows: number) => void,
): Promise<ReadTable> {
  const table = new TableFile(format);
  let rows = 0;
  let after: string | null = null;
  do {
    const page: TablePage = await readPage(after, signal);
    signal.throwIfAborted();
    const wanted = page.rows.slice(0, MAX_ROWS - rows);
    table.add(wanted);
    rows += wanted.length;
    after = page.next;
    read(rows);
  } while (after !== null && rows < MAX_ROWS);
  return { file: table.finish(), rows, isCut: after !== null };
}

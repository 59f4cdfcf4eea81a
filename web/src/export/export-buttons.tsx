import { useEffect, useRef, useState } from "react";
import { asApiError } from "../api";
import { formatCount } from "../format";
import { type ReadPage, readTable } from "./read-table";
import { fileName, type TableFormat } from "./table-file";

const FORMATS: readonly TableFormat[] = ["csv", "json"];

function save(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  // The download has begun when the click has been handled.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

interface ExportButtonsProps {
  /** What the table shows, for the name of the file. */
  name: readonly string[];
  readPage: ReadPage;
}

/** Buttons that save all rows of a table, not only those of the page that is shown, as a file. */
export function ExportButtons({ name, readPage }: ExportButtonsProps) {
  const [running, setRunning] = useState<AbortController>();
  const [told, setTold] = useState("");
  const latest = useRef<AbortController>(undefined);
  useEffect(() => () => latest.current?.abort(), []);

  const run = async (format: TableFormat) => {
    const controller = new AbortController();
    latest.current = controller;
    setRunning(controller);
    setTold("Reading …");
    try {
      const { file, rows, isCut } = await readTable(readPage, format, controller.signal, (rows) =>
        setTold(`${formatCount(rows, "row")} …`),
      );
      save(file, fileName(name, format));
      const saved = formatCount(rows, "row");
      setTold(isCut ? `Saved the first ${saved}, which is the limit` : `Saved ${saved}`);
    } catch (error) {
      setTold(controller.signal.aborted ? "" : asApiError(error).message);
    }
    setRunning(undefined);
  };
  return (
    <div className="export">
      <span className="quiet">Download</span>
      {running
        ? null
        : FORMATS.map((format) => (
            <button
              key={format}
              type="button"
              className="button"
              aria-label={`Download as ${format.toUpperCase()}`}
              onClick={() => void run(format)}
            >
              {format.toUpperCase()}
            </button>
          ))}
      {running && (
        <button type="button" className="button" onClick={() => running.abort()}>
          Cancel
        </button>
      )}
      <span className="quiet" role="status">
        {told}
      </span>
    </div>
  );
}

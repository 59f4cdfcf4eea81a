import type { ReactNode } from "react";
import type { ApiError } from "../api";

/** What stands where there is nothing to show, and what may be done about it. */
export function Notice({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="notice" role="status">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** The form of what is being fetched, so that nothing jumps when it comes. */
export function Loading({ rows = 4 }: { rows?: number }) {
  return (
    <div className="loading" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the rows are all the same
        <span key={row} className="skeleton" />
      ))}
    </div>
  );
}

/** A failure that will not pass by itself. */
export function Failure({ error, retry }: { error: ApiError; retry: () => void }) {
  return (
    <div className="notice" role="alert">
      <h2>{error.passing ? "The server can’t be reached" : "The server refused"}</h2>
      <p>{error.message}</p>
      {error.passing && <p>It is asked again every few seconds; there is no need to reload.</p>}
      <button type="button" className="button" onClick={retry}>
        Try again now
      </button>
    </div>
  );
}

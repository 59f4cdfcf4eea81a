import type { ReactNode } from "react";
import type { ApiError } from "../api";

/** A message in place of missing content, with what to do about it. */
export function Notice({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="notice" role="status">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** A placeholder with about the size of the content that is being loaded. */
export function Loading({ rows = 4 }: { rows?: number }) {
  return (
    <div className="loading" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: all rows are equal
        <span key={row} className="skeleton" />
      ))}
    </div>
  );
}

/** A failed request, in place of content that was never loaded. */
export function ErrorNotice({ error, retry }: { error: ApiError; retry: () => void }) {
  return (
    <div className="notice" role="alert">
      <h2>{error.retryable ? "The server can’t be reached" : "The server returned an error"}</h2>
      <p>{error.message}</p>
      {error.retryable && <p>Retrying every few seconds.</p>}
      <button type="button" className="button" onClick={retry}>
        Retry now
      </button>
    </div>
  );
}

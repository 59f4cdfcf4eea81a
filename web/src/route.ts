/** A page of the dashboard: the names in its path, and its query parameters. */
export interface Route {
  path: readonly string[];
  query: URLSearchParams;
}

/** The hash of a route. Names may contain any character. */
export function hrefOf(path: readonly string[], query?: URLSearchParams): string {
  const search = query?.toString() ?? "";
  return `#/${path.map(encodeURIComponent).join("/")}${search && `?${search}`}`;
}

/** The route of a hash. Invalid percent escapes are kept as they are. */
export function parseHash(hash: string): Route {
  const [path = "", search = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  return {
    path: path
      .split("/")
      .filter((part) => part !== "")
      .map((part) => {
        try {
          return decodeURIComponent(part);
        } catch {
          return part;
        }
      }),
    query: new URLSearchParams(search),
  };
}

/** A copy of query parameters without cursors: another list starts at its first page. */
export function withoutCursors(query: URLSearchParams): URLSearchParams {
  const copy = new URLSearchParams(query);
  copy.delete("after");
  copy.delete("before");
  return copy;
}

/** The hash of a route with changed query parameters; null removes one. Cursors are removed. */
export function hrefWith({ path, query }: Route, changes: Record<string, string | null>): string {
  const changed = withoutCursors(query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") changed.delete(name);
    else changed.set(name, value);
  }
  return hrefOf(path, changed);
}

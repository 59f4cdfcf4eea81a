import { type AnchorHTMLAttributes, type ReactNode, useMemo } from "react";
import { Store, useStore } from "./store";

/** A place in the dashboard: the names in its path, and its filters. */
export interface Place {
  path: readonly string[];
  query: URLSearchParams;
}

const address = new Store(window.location.hash);
window.addEventListener("hashchange", () => address.set(window.location.hash));

/** The address of a place; the names may hold any character. */
export function href(path: readonly string[], query?: URLSearchParams): string {
  const search = query?.toString() ?? "";
  return `#/${path.map(encodeURIComponent).join("/")}${search && `?${search}`}`;
}

/** The place that the address names. Bad percent signs are taken as they are. */
export function parse(hash: string): Place {
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

/** Where the reader is. */
export function usePlace(): Place {
  const hash = useStore(address);
  return useMemo(() => parse(hash), [hash]);
}

/** Goes to a place; `replace` leaves no step behind, for filters that are being typed. */
export function go(to: string, replace = false): void {
  if (replace) {
    window.history.replaceState(null, "", to);
    address.set(window.location.hash);
  } else {
    window.location.hash = to;
  }
}

/** Changes some filters in the address; null takes one away. Cursors go: the list is another. */
export function refine(
  place: Place,
  changes: Record<string, string | null>,
  replace = false,
): void {
  const query = new URLSearchParams(place.query);
  query.delete("after");
  query.delete("before");
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") query.delete(name);
    else query.set(name, value);
  }
  go(href(place.path, query), replace);
}

interface LinkProps extends AnchorHTMLAttributes<HTMLAnchorElement> {
  path: readonly string[];
  query?: URLSearchParams;
  children: ReactNode;
}

/** A link to a place. */
export function Link({ path, query, children, ...rest }: LinkProps) {
  return (
    <a href={href(path, query)} {...rest}>
      {children}
    </a>
  );
}

import { type AnchorHTMLAttributes, type ReactNode, useMemo } from "react";
import { hrefOf, hrefWith, parseHash, type Route } from "./route";
import { Store, useStore } from "./store";

const hash = new Store(window.location.hash);
window.addEventListener("hashchange", () => hash.set(window.location.hash));

/** The current route. */
export function useRoute(): Route {
  const current = useStore(hash);
  return useMemo(() => parseHash(current), [current]);
}

/** Goes to a hash. With `replace`, the browser's history gets no new entry. */
export function navigate(to: string, replace = false): void {
  if (replace) {
    window.history.replaceState(null, "", to);
    hash.set(window.location.hash);
  } else {
    window.location.hash = to;
  }
}

/** Changes query parameters of a route and goes there; see {@link hrefWith}. */
export function updateQuery(
  route: Route,
  changes: Record<string, string | null>,
  replace = false,
): void {
  navigate(hrefWith(route, changes), replace);
}

interface LinkProps extends AnchorHTMLAttributes<HTMLAnchorElement> {
  path: readonly string[];
  query?: URLSearchParams;
  children: ReactNode;
}

/** A link to a page of the dashboard. */
export function Link({ path, query, children, ...rest }: LinkProps) {
  return (
    <a href={hrefOf(path, query)} {...rest}>
      {children}
    </a>
  );
}

import { type AnchorHTMLAttributes, type ReactNode, useMemo } from "react";
import { replaceAddress, savePlace, useAddress } from "./place";
import { hrefOf, hrefWith, parseHash, type Route } from "./route";

/** The current route. */
export function useRoute(): Route {
  const { hash } = useAddress();
  return useMemo(() => parseHash(hash), [hash]);
}

/** Goes to a hash. With `replace`, the browser's history gets no new entry. */
export function navigate(to: string, replace = false): void {
  if (replace) {
    replaceAddress(to);
  } else {
    savePlace();
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

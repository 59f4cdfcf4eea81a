import type { Route } from "./route";

/** Whether the list is for a screen that nobody touches: `kiosk` is in the URL, before or after the #. */
export function isKiosk({ path, query }: Route): boolean {
  return (
    path.length === 0 &&
    (query.has("kiosk") || new URLSearchParams(window.location.search).has("kiosk"))
  );
}

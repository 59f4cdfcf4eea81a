import type { Route } from "../route";
import { storedSwitch, storedValue } from "../stored-value";

/** How high the rows of the list are. */
export type Density = "dense" | "spacious";

/** The selected height of rows. */
export const density = storedValue<Density>(
  "lamia-density",
  (text) => (text === "spacious" ? "spacious" : "dense"),
  (value) => value,
);

/** Whether the browser is to notify of tasks that fail. It must also be permitted to. */
export const notifies = storedSwitch("lamia-notify", false);

/** Whether the list is for a screen that nobody touches: `kiosk` is in the URL, before or after the #. */
export function isKiosk({ path, query }: Route): boolean {
  return (
    path.length === 0 &&
    (query.has("kiosk") || new URLSearchParams(window.location.search).has("kiosk"))
  );
}

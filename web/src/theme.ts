import { storedValue } from "./stored-value";

/** A colour theme; `auto` follows the operating system. */
export type Theme = "auto" | "light" | "dark";

/** The selected theme, kept in local storage. */
export const theme = storedValue<Theme>(
  "lamia-theme",
  (text) => (text === "light" || text === "dark" ? text : "auto"),
  (value) => value,
);

function apply(): void {
  document.documentElement.dataset.theme = theme.get();
}

apply();
theme.subscribe(apply);

/** What changes the colours, beside the selected theme. A print is always light. */
const QUERIES = ["(prefers-color-scheme: dark)", "(forced-colors: active)", "print"];

/** Calls `changed` when the colours may have changed. Returns the unsubscribe. */
export function onColoursChange(changed: () => void): () => void {
  const queries = QUERIES.map((query) => matchMedia(query));
  for (const query of queries) query.addEventListener("change", changed);
  const unsubscribe = theme.subscribe(changed);
  return () => {
    for (const query of queries) query.removeEventListener("change", changed);
    unsubscribe();
  };
}

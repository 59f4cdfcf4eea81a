import { Store } from "./store";

/** A colour theme; `auto` follows the operating system. */
export type Theme = "auto" | "light" | "dark";

const STORAGE_KEY = "lamia-theme";

function readStored(): Theme {
  try {
    const found = localStorage.getItem(STORAGE_KEY);
    return found === "light" || found === "dark" ? found : "auto";
  } catch {
    return "auto";
  }
}

/** The selected theme, kept in local storage. */
export const theme = new Store<Theme>(readStored());

function apply(): void {
  document.documentElement.dataset.theme = theme.get();
}

apply();
theme.subscribe(() => {
  apply();
  try {
    localStorage.setItem(STORAGE_KEY, theme.get());
  } catch {
    // Without storage, the selection lasts until the page is closed.
  }
});

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

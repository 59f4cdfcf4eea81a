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

/** Calls `changed` when the theme changes, selected or by the system. Returns the unsubscribe. */
export function onColoursChange(changed: () => void): () => void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", changed);
  const unsubscribe = theme.subscribe(changed);
  return () => {
    system.removeEventListener("change", changed);
    unsubscribe();
  };
}

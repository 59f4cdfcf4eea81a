import { Store } from "./store";

/** A way to show the pages; `auto` follows the reader's system. */
export type Theme = "auto" | "light" | "dark";

const KEY = "lamia-theme";

function stored(): Theme {
  try {
    const found = localStorage.getItem(KEY);
    return found === "light" || found === "dark" ? found : "auto";
  } catch {
    return "auto";
  }
}

/** The theme that the reader has chosen; kept in the browser. */
export const theme = new Store<Theme>(stored());

function apply(): void {
  document.documentElement.dataset.theme = theme.get();
}

apply();
theme.subscribe(() => {
  apply();
  try {
    localStorage.setItem(KEY, theme.get());
  } catch {
    // Without storage, the choice lasts as long as the page.
  }
});

/** Calls back when colours change: by the reader's choice, or by the system's. */
export function onColours(changed: () => void): () => void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", changed);
  const unsubscribe = theme.subscribe(changed);
  return () => {
    system.removeEventListener("change", changed);
    unsubscribe();
  };
}

import { useEffect, useRef } from "react";
import { Store } from "./store";

const STORAGE_KEY = "lamia-shortcuts";
/** Elements in which keys have a meaning of their own. */
const EDITABLE = "input, textarea, select, [contenteditable], dialog";

function readStored(): boolean {
  try {
    return localStorage.getItem(STORAGE_KEY) !== "off";
  } catch {
    return true;
  }
}

/** Whether single keys do something; kept in local storage. Voice control may type keys by mistake. */
export const shortcutsEnabled = new Store(readStored());

shortcutsEnabled.subscribe(() => {
  try {
    localStorage.setItem(STORAGE_KEY, shortcutsEnabled.get() ? "on" : "off");
  } catch {
    // Without storage, the selection lasts until the page is closed.
  }
});

/**
 * Calls `act` when a key is pressed outside of form fields and dialogs, while shortcuts are on. It
 * returns whether the key meant something.
 */
export function useShortcuts(act: (key: string) => boolean): void {
  const latest = useRef(act);
  useEffect(() => {
    latest.current = act;
  });
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.isComposing || !shortcutsEnabled.get()) return;
      if (event.target instanceof Element && event.target.closest(EDITABLE) !== null) return;
      if (latest.current(event.key)) event.preventDefault();
    };
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, []);
}

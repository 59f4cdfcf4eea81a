import { useEffect, useRef } from "react";
import { storedSwitch } from "./stored-value";

/** Elements in which keys have a meaning of their own. */
const EDITABLE = "input, textarea, select, [contenteditable], dialog";

/** Whether single keys do something. Voice control may type keys by mistake. */
export const shortcutsEnabled = storedSwitch("lamia-shortcuts", true);

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

import { useEffect, useEffectEvent } from "react";
import { type HeldRows, useHeldRows } from "./held-rows";

/** Rows change their places once nobody has done anything for so long. */
const QUIET_MS = 8000;
/** What somebody does who uses the page. */
const READER_EVENTS = ["pointermove", "pointerdown", "wheel", "scroll", "keydown"] as const;

/**
 * The rows to show of a list at which somebody may look without touching it: the content is the
 * latest, but rows move, come or go only when the reader has just left the list, or once the list
 * has lacked something for eight seconds in which nobody has used the page.
 *
 * `isRead` tells whether somebody points at the list or has paused it: then it waits for that. For
 * the rest see {@link useHeldRows}.
 */
export function useCalmRows<T>(
  latest: readonly T[],
  keyOf: (row: T) => string,
  isRead: boolean,
  scope = "",
): HeldRows<T> {
  const held = useHeldRows(latest, keyOf, true, scope);
  const { isBehind, release } = held;
  const showLatest = useEffectEvent(() => release());
  useEffect(() => {
    if (!isRead) showLatest();
  }, [isRead]);
  useEffect(() => {
    if (!isBehind || isRead) return;
    let timer = setTimeout(showLatest, QUIET_MS);
    const wait = () => {
      clearTimeout(timer);
      timer = setTimeout(showLatest, QUIET_MS);
    };
    const options = { capture: true, passive: true };
    for (const name of READER_EVENTS) window.addEventListener(name, wait, options);
    return () => {
      clearTimeout(timer);
      for (const name of READER_EVENTS) window.removeEventListener(name, wait, options);
    };
  }, [isBehind, isRead]);
  return held;
}

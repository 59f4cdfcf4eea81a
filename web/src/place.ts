import { useState } from "react";
import { Store, useStore } from "./store";

/** Delay after which the scroll position is kept; browsers limit how often this may be done. */
const SAVE_DELAY_MS = 200;
/** For so long the page may still grow after its place is reached. */
const SETTLE_MS = 1000;
/** After this time a place that is not reached is given up: the page has become shorter. */
const GIVE_UP_MS = 10_000;
/** What a reader does to be somewhere else than at the place that is being restored. */
const READER_EVENTS = ["wheel", "touchstart", "pointerdown", "keydown"] as const;

/** What an entry of the browser's history keeps besides its address. */
interface Place {
  /** The scroll position in CSS pixels. */
  scroll?: number;
  /** The address of the link that had the focus. */
  link?: string;
  values?: Record<string, unknown>;
}

/** Where the browser is. */
interface Address {
  hash: string;
  /** Counts the moves in the history: each leads to another entry. */
  moves: number;
}

const address = new Store<Address>({ hash: window.location.hash, moves: 0 });

let timer: ReturnType<typeof setTimeout> | undefined;
let isRestoring = false;
let stopRestoring = () => {};

function read(): Place {
  return (history.state ?? {}) as Place;
}

/** Keeps where the reader is in the current entry, before another one is opened. */
export function savePlace(): void {
  stopRestoring();
  clearTimeout(timer);
  timer = undefined;
  const focused = document.activeElement;
  const link = focused instanceof HTMLAnchorElement ? focused.getAttribute("href") : null;
  const { link: _, ...others } = read();
  const place = { ...others, scroll: window.scrollY, ...(link !== null && { link }) };
  history.replaceState(place, "");
}

// The browser would restore the position before the page has its content.
history.scrollRestoration = "manual";
window.addEventListener("popstate", () => {
  stopRestoring();
  clearTimeout(timer);
  timer = undefined;
  address.set({ hash: window.location.hash, moves: address.get().moves + 1 });
});
window.addEventListener("scroll", () => {
  if (isRestoring) return;
  timer ??= setTimeout(savePlace, SAVE_DELAY_MS);
});
window.addEventListener("click", savePlace, { capture: true });

/** Where the browser is. */
export function useAddress(): Address {
  return useStore(address);
}

/** Changes the address of the current entry. Another page in its place starts at its top. */
export function replaceAddress(hash: string): void {
  const isSamePage = hash.split("?")[0] === window.location.hash.split("?")[0];
  history.replaceState(isSamePage ? history.state : null, "", hash);
  address.set({ ...address.get(), hash: window.location.hash });
}

/** Whether the reader has been at the current entry before. */
export function isKnownPlace(): boolean {
  return read().scroll !== undefined;
}

/**
 * Goes to where the reader was in the current entry, or to the top: at once, and again while the
 * page grows. Focuses the link that had the focus, if it is there. Ends when the reader scrolls.
 */
export function restorePlace(): void {
  stopRestoring();
  const { scroll = 0, link } = read();
  let isFocused = link === undefined;
  let isReached = false;
  const apply = () => {
    window.scrollTo(0, scroll);
    if (!isFocused) isFocused = focusLink(link ?? "");
    if (isReached || Math.abs(window.scrollY - scroll) > 1) return;
    isReached = true;
    clearTimeout(end);
    end = setTimeout(stop, SETTLE_MS);
  };
  const observer = new ResizeObserver(apply);
  const stop = () => {
    observer.disconnect();
    clearTimeout(end);
    for (const name of READER_EVENTS) window.removeEventListener(name, stop);
    isRestoring = false;
    stopRestoring = () => {};
  };
  let end = setTimeout(stop, GIVE_UP_MS);
  isRestoring = true;
  stopRestoring = stop;
  for (const name of READER_EVENTS) window.addEventListener(name, stop, { passive: true });
  observer.observe(document.body);
  apply();
}

function focusLink(href: string): boolean {
  const found = document.querySelector<HTMLAnchorElement>(`main a[href="${CSS.escape(href)}"]`);
  found?.focus({ preventScroll: true });
  return found !== null;
}

/**
 * A value that belongs to the current entry of the history: it is there again after a reload, and
 * when the reader comes back. `name` is unique on the page.
 */
export function useKept<T>(name: string, initial: T): [T, (value: T) => void] {
  const [value, setValue] = useState(() => (read().values?.[name] ?? initial) as T);
  const set = (next: T) => {
    const place = read();
    history.replaceState({ ...place, values: { ...place.values, [name]: next } }, "");
    setValue(next);
  };
  return [value, set];
}

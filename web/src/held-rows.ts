import { type FocusEvent, type PointerEvent, useCallback, useMemo, useState } from "react";

/** Rows of a list that stay where they are while somebody points at them or has paused the list. */
export interface HeldRows<T> {
  /** The rows to show: those from before the hold, with their latest content, or the latest. */
  rows: readonly T[];
  /** How many of the latest rows are not shown. */
  added: number;
  /** The keys of rows that are shown as they were, and not listed any more. */
  gone: ReadonlySet<string>;
  /** Whether the latest rows are others than those that are shown, or in another order. */
  isBehind: boolean;
  /** Shows the latest rows now. If the list is held, these stay from now on. */
  release: () => void;
}

const NONE: ReadonlySet<string> = new Set();

/** The rows of a hold, with their latest content where it is known; see {@link HeldRows}. */
export function holdRows<T>(
  held: readonly T[],
  latest: readonly T[],
  keyOf: (row: T) => string,
): Omit<HeldRows<T>, "release"> {
  const byKey = new Map(latest.map((row) => [keyOf(row), row]));
  const keys = held.map(keyOf);
  const rows = held.map((row, place) => byKey.get(keys[place] ?? "") ?? row);
  const gone = new Set(keys.filter((key) => !byKey.delete(key)));
  const isBehind =
    rows.length !== latest.length || rows.some((row, place) => row !== latest[place]);
  return { rows, added: byKey.size, gone, isBehind };
}

/**
 * The rows to show of a list whose latest rows are `latest`: while `isHeld`, no row moves, comes or
 * goes. A list that was empty when the hold began is not held. `scope` tells what is listed: once it
 * differs, as on another page of the list, the hold begins anew. `keyOf` is the same function each
 * time; its keys are unique in the list.
 */
export function useHeldRows<T>(
  latest: readonly T[],
  keyOf: (row: T) => string,
  isHeld: boolean,
  scope = "",
): HeldRows<T> {
  const [held, setHeld] = useState<{ scope: string; rows: readonly T[] } | null>(null);
  const isValid = held !== null && held.scope === scope && held.rows.length > 0;
  if (isHeld && !isValid && latest.length > 0) setHeld({ scope, rows: latest });
  if (!isHeld && held !== null) setHeld(null);
  const base = isHeld && isValid ? held.rows : null;
  const shown = useMemo(
    () =>
      base === null
        ? { rows: latest, added: 0, gone: NONE, isBehind: false }
        : holdRows(base, latest, keyOf),
    [base, latest, keyOf],
  );
  const release = useCallback(() => {
    setHeld((before) => before && { ...before, rows: latest });
  }, [latest]);
  return { ...shown, release };
}

/** A value that stays as it was when a hold began. */
export interface HeldValue<T> {
  value: T;
  /** Takes the latest value now. If there is a hold, it stays from now on. */
  release: () => void;
}

/** The latest value, or while `isHeld` that from when the hold began. */
export function useHeldValue<T>(latest: T, isHeld: boolean): HeldValue<T> {
  const [held, setHeld] = useState<{ value: T } | null>(null);
  if (isHeld && held === null) setHeld({ value: latest });
  if (!isHeld && held !== null) setHeld(null);
  const release = useCallback(() => setHeld(null), []);
  return { value: isHeld && held !== null ? held.value : latest, release };
}

/** Listeners of the element around the rows. */
interface HoldArea {
  onPointerEnter: (event: PointerEvent) => void;
  onPointerLeave: (event: PointerEvent) => void;
  onFocus: (event: FocusEvent) => void;
  onBlur: (event: FocusEvent) => void;
}

/** Whether somebody reads a list. */
export interface Hold {
  /** Whether the pointer or the keyboard's focus is inside, or the list is paused. */
  isHeld: boolean;
  isPaused: boolean;
  setPaused: (paused: boolean) => void;
  /** To be spread on the element around the rows, and around the button that shows new ones. */
  area: HoldArea;
}

/** Tells whether somebody reads a list; see {@link Hold}. What a click has focused is not read. */
export function useHold(): Hold {
  const [isPointed, setPointed] = useState(false);
  const [isFocused, setFocused] = useState(false);
  const [isPaused, setPaused] = useState(false);
  const area = useMemo<HoldArea>(
    () => ({
      // Fingers leave what they have touched.
      onPointerEnter: ({ pointerType }) => setPointed(pointerType !== "touch"),
      onPointerLeave: () => setPointed(false),
      onFocus: ({ target }) => setFocused(target.matches(":focus-visible")),
      onBlur: ({ currentTarget, relatedTarget }) => {
        if (!currentTarget.contains(relatedTarget as Node | null)) setFocused(false);
      },
    }),
    [],
  );
  return { isHeld: isPointed || isFocused || isPaused, isPaused, setPaused, area };
}

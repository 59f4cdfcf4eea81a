import { useMemo, useState } from "react";

/** A row moves above another one only if it is so many times as large, and larger by so much. */
const TIMES = 1.5;
const BY = 4;

/**
 * The rows with the largest first, but in the earlier order where none is clearly larger: rows of
 * similar sizes that grow would change their places again and again. `earlier` are the keys of the
 * rows in that order; new rows come last.
 */
export function settleOrder<T>(
  earlier: readonly string[],
  rows: readonly T[],
  keyOf: (row: T) => string,
  sizeOf: (row: T) => number,
): readonly T[] {
  const places = new Map(earlier.map((key, place) => [key, place]));
  const placeOf = (row: T) => places.get(keyOf(row)) ?? earlier.length;
  const settled = [...rows].sort((one, other) => placeOf(one) - placeOf(other));
  for (let place = 1; place < settled.length; place += 1) {
    for (let at = place; at > 0; at -= 1) {
      const [above, row] = settled.slice(at - 1, at + 1) as [T, T];
      if (sizeOf(row) < TIMES * sizeOf(above) + BY) break;
      settled.splice(at - 1, 2, row, above);
    }
  }
  return settled;
}

/** Rows in the order of {@link settleOrder}. The functions are the same each time. */
export function useSettledOrder<T>(
  rows: readonly T[],
  keyOf: (row: T) => string,
  sizeOf: (row: T) => number,
): readonly T[] {
  const [earlier, setEarlier] = useState<readonly string[]>([]);
  const settled = useMemo(
    () => settleOrder(earlier, rows, keyOf, sizeOf),
    [earlier, rows, keyOf, sizeOf],
  );
  const keys = settled.map(keyOf);
  if (keys.join("\n") !== earlier.join("\n")) setEarlier(keys);
  return settled;
}

/** The nearest jobs of a list before and after another job. */
export interface Neighbours {
  previous: number | null;
  next: number | null;
}

/** The nearest of `indices`, as the API returns them, like `813,900-904`, around `index`. */
export function neighboursOf(indices: string, index: number): Neighbours {
  let previous: number | null = null;
  for (const run of indices === "" ? [] : indices.split(",")) {
    const dash = run.indexOf("-");
    const first = Number(dash < 0 ? run : run.slice(0, dash));
    const last = dash < 0 ? first : Number(run.slice(dash + 1));
    if (first > index) return { previous, next: first };
    if (last > index) return { previous: first < index ? index - 1 : previous, next: index + 1 };
    previous = last < index ? last : first < index ? index - 1 : previous;
  }
  return { previous, next: null };
}

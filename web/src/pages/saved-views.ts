import { storedValue } from "../stored-value";

/** A list of tasks that the user has given a name. */
export interface SavedView {
  name: string;
  /** The query parameters of its URL, without cursors. */
  query: string;
}

function isView(value: unknown): value is SavedView {
  const { name, query } = (value ?? {}) as Partial<Record<keyof SavedView, unknown>>;
  return typeof name === "string" && typeof query === "string";
}

function parseViews(text: string | null): readonly SavedView[] {
  try {
    const found: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(found) ? found.filter(isView) : [];
  } catch {
    return [];
  }
}

/** The views of this browser, in the order of their names. */
export const savedViews = storedValue("lamia-views", parseViews, JSON.stringify);

/** Keeps a view. It replaces one of the same name. */
export function saveView(view: SavedView): void {
  const others = savedViews.get().filter(({ name }) => name !== view.name);
  savedViews.set([...others, view].sort((one, other) => one.name.localeCompare(other.name)));
}

/** Removes the view of this name. */
export function removeView(name: string): void {
  savedViews.set(savedViews.get().filter((view) => view.name !== name));
}

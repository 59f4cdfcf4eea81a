import { Store } from "./store";

/**
 * A store that local storage keeps, and that follows the other tabs. `parse` makes a value of what is
 * stored, null for nothing, and must accept any text. Without storage, the value lasts until the page
 * is closed.
 */
export function storedValue<T>(
  key: string,
  parse: (text: string | null) => T,
  format: (value: T) => string,
): Store<T> {
  const store = new Store(parse(read(key)));
  let stored = store.get();
  store.subscribe(() => {
    const value = store.get();
    if (value === stored) return;
    stored = value;
    try {
      localStorage.setItem(key, format(value));
    } catch {
      // There is no storage, or it is full.
    }
  });
  window.addEventListener("storage", (event) => {
    if (event.key !== key) return;
    stored = parse(event.newValue);
    store.set(stored);
  });
  return store;
}

/** A {@link storedValue} that is on or off, at first as `initial` says. */
export function storedSwitch(key: string, initial: boolean): Store<boolean> {
  return storedValue(
    key,
    (text) => (text === "on" || text === "off" ? text === "on" : initial),
    (isOn) => (isOn ? "on" : "off"),
  );
}

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

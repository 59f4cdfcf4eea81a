import { useRef } from "react";
import { navigate } from "../router";
import { shortcutsEnabled, useShortcuts } from "../shortcuts";
import { useStore } from "../store";

const KEYS: readonly [keys: string, meaning: string][] = [
  ["/", "Search, on the list of tasks where the page has no search of its own"],
  ["j k", "Next or previous row"],
  ["Enter", "Open the row"],
  ["[ ]", "Previous or next unsuccessful job, on the page of a job"],
  ["+ − 0", "Zoom in, out, or show all of a map or chart that has the focus"],
  ["?", "Show these keys"],
];
/** The links of rows: of tables, and of lists of processes, also compact ones. */
const ROWS = "main :is(tbody, li) a.name, main li a.process-tile";
const SEARCH = 'main input[type="search"], main [data-search] input';

function isVisible(element: HTMLElement): boolean {
  return element.checkVisibility();
}

function focusSearch(): boolean {
  const found = [...document.querySelectorAll<HTMLInputElement>(SEARCH)].find(isVisible);
  found?.focus();
  found?.select();
  return found !== undefined;
}

/** Focuses a row after or before the focused one, or the first one in sight. */
function moveBy(step: number): boolean {
  const rows = [...document.querySelectorAll<HTMLElement>(ROWS)].filter(isVisible);
  const current = rows.indexOf(document.activeElement as HTMLElement);
  const inSight = rows.findIndex((row) => row.getBoundingClientRect().top >= 0);
  const row = current < 0 ? rows[Math.max(0, inSight)] : rows[current + step];
  row?.focus({ preventScroll: true });
  row?.scrollIntoView({ block: "nearest" });
  return rows.length > 0;
}

/** The keys that work on every page, a button that lists them, and a switch that turns them off. */
export function ShortcutHelp() {
  const dialog = useRef<HTMLDialogElement>(null);
  const isEnabled = useStore(shortcutsEnabled);
  useShortcuts((key) => {
    if (key === "?") dialog.current?.showModal();
    else if (key === "j" || key === "k") return moveBy(key === "j" ? 1 : -1);
    else if (key === "/") {
      if (focusSearch()) return true;
      navigate("#/");
      // The form of the list is there with its first frame.
      requestAnimationFrame(() => requestAnimationFrame(focusSearch));
    } else return false;
    return true;
  });
  return (
    <footer className="foot">
      <button type="button" className="bare" onClick={() => dialog.current?.showModal()}>
        Keyboard shortcuts <kbd>?</kbd>
      </button>
      <dialog ref={dialog} className="keys" aria-labelledby="keys">
        <div className="card-head">
          <h2 id="keys">Keyboard shortcuts</h2>
          <button type="button" className="button" onClick={() => dialog.current?.close()}>
            Close
          </button>
        </div>
        <dl>
          {KEYS.map(([keys, meaning]) => (
            <div key={keys}>
              <dt>
                {keys.split(" ").map((each) => (
                  <kbd key={each}>{each}</kbd>
                ))}
              </dt>
              <dd>{meaning}</dd>
            </div>
          ))}
        </dl>
        <label>
          <input
            type="checkbox"
            checked={isEnabled}
            onChange={({ target }) => shortcutsEnabled.set(target.checked)}
          />{" "}
          Single keys are shortcuts
        </label>
      </dialog>
    </footer>
  );
}

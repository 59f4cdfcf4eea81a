/** Runs an action on demand, but neither too often nor twice at once. */
export interface Throttle {
  /** Asks for a run. Calls before it starts are merged; one during it leads to another run. */
  call: () => void;
  /** Drops what is due. A run in progress goes on. */
  cancel: () => void;
}

/** A throttle for `action` that waits `delayMs()` before each run. */
export function throttle(action: () => Promise<unknown>, delayMs: () => number): Throttle {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running = false;
  let again = false;
  let cancelled = false;

  const run = async () => {
    timer = undefined;
    running = true;
    again = false;
    await action();
    running = false;
    if (again) call();
  };
  const call = () => {
    if (cancelled) return;
    if (running) again = true;
    else timer ??= setTimeout(() => void run(), Math.max(0, delayMs()));
  };
  return {
    call,
    cancel: () => {
      cancelled = true;
      clearTimeout(timer);
    },
  };
}

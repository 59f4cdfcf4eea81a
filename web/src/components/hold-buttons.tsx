import { formatNumber } from "../format";
import type { HeldRows, Hold } from "../held-rows";

interface NewRowsProps {
  held: Pick<HeldRows<unknown>, "added" | "isBehind" | "release">;
  /** What is listed, like "events". */
  what: string;
}

/** A button that shows what a held list lacks; nothing while it lacks nothing. */
export function NewRows({ held, what }: NewRowsProps) {
  if (!held.isBehind) return null;
  const label = held.added > 0 ? `${formatNumber(held.added)} new` : "Changed";
  return (
    <button
      type="button"
      className="toggle small"
      aria-label={`${label}: show the latest ${what}`}
      onClick={held.release}
    >
      {label}
    </button>
  );
}

/** A button that pauses what is held: rows stay where they are until it is pressed again. */
export function PauseButton({ hold: { isPaused, setPaused } }: { hold: Hold }) {
  return (
    <button
      type="button"
      className="toggle small"
      aria-pressed={isPaused}
      title="Keeps the rows where they are. They also stay while you point at them."
      onClick={() => setPaused(!isPaused)}
    >
      Pause
    </button>
  );
}

/** Both buttons, for the line of a heading: they need no place below it. */
export function HoldButtons({ hold, ...rows }: NewRowsProps & { hold: Hold }) {
  return (
    <span className="hold">
      <NewRows {...rows} />
      <PauseButton hold={hold} />
    </span>
  );
}

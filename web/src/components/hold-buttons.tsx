import { formatNumber } from "../format";
import type { HeldRows, Hold } from "../held-rows";

interface HoldButtonsProps {
  hold: Hold;
  held: Pick<HeldRows<unknown>, "added" | "isBehind" | "release">;
  /** What is listed, like "events". */
  what: string;
}

/** Buttons that show what a held list lacks, and that pause the list. They need no place below it. */
export function HoldButtons({ hold, held, what }: HoldButtonsProps) {
  const { isPaused, setPaused } = hold;
  return (
    <span className="hold">
      {held.isBehind && (
        <button type="button" className="toggle" onClick={held.release}>
          {held.added > 0 ? `${formatNumber(held.added)} new` : "Changed"}
          <span className="off-screen">: show the latest {what}</span>
        </button>
      )}
      <button
        type="button"
        className="toggle"
        aria-pressed={isPaused}
        title={`Keeps the ${what} as they are`}
        onClick={() => setPaused(!isPaused)}
      >
        Pause<span className="off-screen"> the {what}</span>
      </button>
    </span>
  );
}

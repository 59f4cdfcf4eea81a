import { useEffect, useState } from "react";
import { writeClipboard } from "../clipboard";

interface CopyButtonProps {
  /** Text of the button. */
  label: string;
  /** Returns the text to copy. May reject. */
  text: () => Promise<string> | string;
  /** Whether only its icon is seen until it is pressed. */
  isCompact?: boolean;
}

/** A button that copies a text and shows whether it succeeded. */
export function CopyButton({ label, text, isCompact = false }: CopyButtonProps) {
  const [outcome, setOutcome] = useState<"copied" | "failed">();
  useEffect(() => {
    if (outcome === undefined) return;
    const timer = setTimeout(() => setOutcome(undefined), 2500);
    return () => clearTimeout(timer);
  }, [outcome]);

  const copy = async () => {
    try {
      await writeClipboard(Promise.resolve(text()));
      setOutcome("copied");
    } catch {
      setOutcome("failed");
    }
  };
  const isQuiet = isCompact && outcome === undefined;
  const told = outcome === "copied" ? "Copied" : outcome === "failed" ? "Copy failed" : label;
  return (
    <button
      type="button"
      className={isCompact ? "bare copy" : "button"}
      aria-label={isQuiet ? label : undefined}
      title={isCompact ? label : undefined}
      data-outcome={outcome}
      onClick={() => void copy()}
    >
      <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
        <path d="M5.5 4.5v-3h9v9h-3M1.5 4.5h10v10h-10z" className="line" />
      </svg>
      <span aria-live="polite">{isQuiet ? "" : told}</span>
    </button>
  );
}

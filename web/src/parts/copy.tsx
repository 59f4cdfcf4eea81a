import { useEffect, useState } from "react";

/** Puts a text on the clipboard; while the text is on its way, the click still counts. */
async function toClipboard(coming: Promise<string>): Promise<void> {
  if (navigator.clipboard) {
    const type = "text/plain";
    const blob = coming.then((text) => new Blob([text], { type }));
    return navigator.clipboard.write([new ClipboardItem({ [type]: blob })]);
  }
  // Without HTTPS, browsers offer no clipboard but that of old.
  const text = await coming;
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "off-screen";
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  if (!copied) throw new Error("not allowed");
}

interface CopyProps {
  /** What the button says. */
  label: string;
  /** Tells what to copy when it is asked for; may throw. */
  text: () => Promise<string> | string;
}

/** A button that copies, and says whether it did. */
export function Copy({ label, text }: CopyProps) {
  const [outcome, setOutcome] = useState<"copied" | "failed">();
  useEffect(() => {
    if (outcome === undefined) return;
    const timer = setTimeout(() => setOutcome(undefined), 2500);
    return () => clearTimeout(timer);
  }, [outcome]);

  const copy = async () => {
    try {
      await toClipboard(Promise.resolve(text()));
      setOutcome("copied");
    } catch {
      setOutcome("failed");
    }
  };
  return (
    <button type="button" className="button" data-outcome={outcome} onClick={() => void copy()}>
      <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
        <path d="M5.5 4.5v-3h9v9h-3M1.5 4.5h10v10h-10z" className="line" />
      </svg>
      <span aria-live="polite">
        {outcome === "copied" ? "Copied" : outcome === "failed" ? "Could not copy" : label}
      </span>
    </button>
  );
}

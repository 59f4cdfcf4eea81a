import { splitLinks } from "../links";
import { CopyButton } from "./copy-button";

interface LinkedTextProps {
  text: string;
  /** Whether paths, and addresses that no browser opens, get a button that copies them. */
  withCopy?: boolean;
}

/** A text in which the addresses of web pages are links. */
export function LinkedText({ text, withCopy = false }: LinkedTextProps) {
  return splitLinks(text).map(({ kind, text }, place) => {
    // The pieces of a text have nothing else that tells them apart.
    const key = `${place} ${text}`;
    if (kind === "link") {
      return (
        <a key={key} href={text} target="_blank" rel="noreferrer">
          {text}
        </a>
      );
    }
    if (kind === "text" || !withCopy) return text;
    return (
      <span key={key} className="place">
        {text} <CopyButton isCompact label={`Copy ${text}`} text={() => text} />
      </span>
    );
  });
}

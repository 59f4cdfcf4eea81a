/**
 * A piece of a text: the address of a web page, a place that no browser opens, such as a path or
 * `root://…`, or what is between them.
 */
export interface Piece {
  kind: "text" | "link" | "place";
  text: string;
}

/** An address with a scheme, or an absolute path of two names or more. */
const FOUND =
  /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s"'<>\\^`{|}]+|(?<![^\s"'=:(,[])\/[\w.+@%~#-]+(?:\/[\w.+@%~#:=-]+)+\/?/gi;
/** What ends a sentence, not an address. */
const TRAILING = ".,;:!?)]";
const WEB = /^https?:\/\//i;

/** Finds the addresses and paths in a text. Its pieces together are the text. */
export function splitLinks(text: string): Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  for (const { 0: found, index } of text.matchAll(FOUND)) {
    const place = withoutTrailing(found);
    if (index > end) pieces.push({ kind: "text", text: text.slice(end, index) });
    const isLink = WEB.test(place) && URL.canParse(place);
    pieces.push({ kind: isLink ? "link" : "place", text: place });
    end = index + place.length;
  }
  if (end < text.length) pieces.push({ kind: "text", text: text.slice(end) });
  return pieces;
}

/** Whether a text is one address or path and nothing else. */
export function isPlace(text: string): boolean {
  const [piece, ...others] = splitLinks(text);
  return piece !== undefined && piece.kind !== "text" && others.length === 0;
}

function withoutTrailing(found: string): string {
  // A closing bracket belongs to the address if it has an opening one, too.
  const kept = `${found.includes("(") ? ")" : ""}${found.includes("[") ? "]" : ""}`;
  let end = found.length;
  while (TRAILING.includes(found.charAt(end - 1)) && !kept.includes(found.charAt(end - 1)))
    end -= 1;
  return found.slice(0, end);
}

import type { Outlook } from "../generated/operations";
import { word } from "../words";
import { Icon, type Sign } from "./icon";

/** A sign and its word. */
export function Badge({ sign }: { sign: Sign }) {
  return (
    <span className="badge">
      <Icon sign={sign} />
      {word(sign)}
    </span>
  );
}

/** The outlook, where there is something to worry about. */
export function OutlookBadge({ outlook, ended }: { outlook: Outlook; ended: boolean }) {
  if (outlook === "ON_TRACK" || ended) return null;
  return (
    <span className={`badge outlook-${outlook.toLowerCase()}`}>
      <Icon sign={outlook} />
      {word(outlook)}
    </span>
  );
}

/** Words by which a task is found, each a link to the tasks that share it. */
export function Tags({ tags }: { tags: readonly string[] }) {
  if (tags.length === 0) return null;
  return (
    <span className="tags">
      {tags.map((tag) => (
        <a key={tag} className="tag" href={`#/?${new URLSearchParams({ tag })}`}>
          {tag}
        </a>
      ))}
    </span>
  );
}

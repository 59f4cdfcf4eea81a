import type { Outlook } from "../generated/operations";
import { labelOf } from "../states";
import { Icon, type IconName } from "./icon";

/** An icon and its label. */
export function Badge({ name }: { name: IconName }) {
  return (
    <span className="badge">
      <Icon name={name} />
      {labelOf(name)}
    </span>
  );
}

/** The outlook of a task or process that has not ended, unless it is on track. */
export function OutlookBadge({ outlook, ended }: { outlook: Outlook; ended: boolean }) {
  if (outlook === "ON_TRACK" || ended) return null;
  return (
    <span className={`badge outlook-${outlook.toLowerCase()}`}>
      <Icon name={outlook} />
      {labelOf(outlook)}
    </span>
  );
}

/** The tags of a task, each linked to the tasks with this tag. */
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

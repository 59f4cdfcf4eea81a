import type { Outlook } from "../generated/operations";
import { describeOutlook, type TroubleCounts } from "../outlook";
import { labelOf } from "../states";
import { Icon, type IconName } from "./icon";
import { Time } from "./time";

/** An icon and its label. */
export function Badge({ name }: { name: IconName }) {
  return (
    <span className="badge">
      <Icon name={name} />
      {labelOf(name)}
    </span>
  );
}

interface OutlookBadgeProps {
  outlook: Outlook;
  /** The numbers of jobs that are the reason. */
  counts: TroubleCounts;
  ended: boolean;
}

/** The outlook of a task or process that has not ended, and why, unless it is on track. */
export function OutlookBadge({ outlook, counts, ended }: OutlookBadgeProps) {
  if (outlook === "ON_TRACK" || ended) return null;
  return (
    <span className={`badge outlook-${outlook.toLowerCase()}`}>
      <Icon name={outlook} />
      {describeOutlook(outlook, counts)}
    </span>
  );
}

/** Since when nothing has ended or progressed; nothing if that is not so. */
export function StalledBadge({ since }: { since: string | null }) {
  if (since === null) return null;
  return (
    <span className="badge stalled">
      <Icon name="LATE" />
      <span>
        stalled since <Time at={since} as="minute" />
      </span>
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

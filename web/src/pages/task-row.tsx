import { Badge, Tags } from "../components/badge";
import { JobsBar, ProgressBar } from "../components/bar";
import { Icon } from "../components/icon";
import { Time } from "../components/time";
import { describeRate, formatCompact } from "../format";
import type { TasksQuery } from "../generated/operations";
import { describeOutlook, describeTrouble } from "../outlook";
import { Link } from "../router";
import { formatTime } from "../time-format";

/** A task as the list has it. */
export type ListedTask = NonNullable<TasksQuery["tasks"]>["nodes"][number];

/** Number of columns of the list. */
export const COLUMN_COUNT = 10;

/** What a task that has not ended needs help with, as the class of its row. */
function needOf({ outlook, finishedAt, stalledSince }: ListedTask): string | undefined {
  if (finishedAt !== null) return undefined;
  if (outlook !== "ON_TRACK") return `is-${outlook.toLowerCase()}`;
  return stalledSince === null ? undefined : "is-stalled";
}

interface TaskRowProps {
  task: ListedTask;
  /** The most frequent cause of its failures, if it is known. */
  cause: string | undefined;
}

/** Why a task needs help: its outlook, the jobs that are the reason, and the cause of most failures. */
function Why({ task, cause }: TaskRowProps) {
  const { outlook, finishedAt, counts, stalledSince } = task;
  const isAtWork = finishedAt === null;
  const reasons = [
    isAtWork && outlook !== "ON_TRACK" ? describeOutlook(outlook, counts) : "",
    // What a task that has succeeded tolerated needs no help.
    task.state === "FAILED" ? describeTrouble(counts) : "",
    stalledSince === null ? "" : `stalled since ${formatTime(Date.parse(stalledSince), false)}`,
  ].filter((reason) => reason !== "");
  if (reasons.length === 0) return null;
  const text = reasons.join(", ");
  return (
    <span title={cause ? `${text}\nmostly ${cause}` : text}>
      {isAtWork ? (
        <strong className={`outlook-${outlook.toLowerCase()}`}>
          <Icon name={outlook === "ON_TRACK" ? "LATE" : outlook} /> {text}
        </strong>
      ) : (
        text
      )}
      {cause && <span className="main-cause">{cause}</span>}
    </span>
  );
}

function Finish({ task }: { task: ListedTask }) {
  if (task.finishedAt) {
    return (
      <span className="finished">
        <Time at={task.finishedAt} as="relative" />
      </span>
    );
  }
  if (task.estimatedFinishAt === null) return <span className="quiet">–</span>;
  return (
    <span className="estimate">
      <Time at={task.estimatedFinishAt} as="relative" />
    </span>
  );
}

/** A task of the list, on one line where the page is wide enough. */
export function TaskRow({ task, cause }: TaskRowProps) {
  const { counts } = task;
  return (
    <tr className={needOf(task)}>
      <td className="cell-name">
        <Link path={["tasks", task.name]} className="name" title={task.name}>
          {task.name}
        </Link>
      </td>
      <td className="cell-state">
        <Badge name={task.state} />
      </td>
      <td className="cell-why">
        <Why task={task} cause={cause} />
      </td>
      <td className="cell-progress">
        <ProgressBar ratio={task.progress.ratio} label={`Progress of ${task.name}`} />
      </td>
      <td className="cell-jobs">
        <div>
          <JobsBar counts={counts} />
          <span className="quiet">
            {formatCompact(counts.done)} of {formatCompact(counts.total)}
            <span className="narrow-only"> done</span>
          </span>
        </div>
      </td>
      <td className="cell-rate">{describeRate(task)}</td>
      <td className="cell-finish">
        <Finish task={task} />
      </td>
      <td className="cell-age">
        <Time at={task.submittedAt} as="relative" />
      </td>
      <td className="cell-user">
        {task.username && (
          <a
            className="user"
            title={task.username}
            href={`#/?${new URLSearchParams({ user: task.username })}`}
          >
            {task.username}
          </a>
        )}
      </td>
      <td className="cell-tags" title={task.tags.join(", ")}>
        <Tags tags={task.tags} />
      </td>
    </tr>
  );
}

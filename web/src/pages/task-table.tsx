import type { CSSProperties } from "react";
import type { Route } from "../route";
import { updateQuery } from "../router";
import { useTaskCauses } from "./task-causes";
import { formatSort, isDescendingByDefault, parseOrder } from "./task-filter";
import { GROUPINGS, groupTasks, parseGrouping, type TaskGroup } from "./task-groups";
import { COLUMN_COUNT, type ListedTask, TaskRow } from "./task-row";
import { totalsOf } from "./task-totals";
import { TaskNumbers } from "./task-totals-line";

const ARIA_SORT = { ASC: "ascending", DESC: "descending" } as const;
const ARROWS = { none: "", ascending: "↑", descending: "↓" };

/** A column header that sorts the list; a second click reverses the order. */
function SortableHeader({ route, name, label }: { route: Route; name: string; label: string }) {
  const order = parseOrder(route.query);
  const sorted = order.name !== name ? "none" : ARIA_SORT[order.direction];
  const descending = sorted === "none" ? isDescendingByDefault(name) : sorted === "ascending";
  return (
    <th scope="col" aria-sort={sorted} className={`head-${name}`}>
      <button
        type="button"
        onClick={() => updateQuery(route, { sort: formatSort(name, descending) })}
      >
        {label} <span aria-hidden="true">{ARROWS[sorted]}</span>
      </button>
    </th>
  );
}

interface GroupProps {
  group: TaskGroup<ListedTask>;
  /** What the group of tasks without a name is called. */
  without: string;
  causes: ReadonlyMap<string, string>;
}

function Group({ group, without, causes }: GroupProps) {
  return (
    <tbody>
      <tr className="group">
        <th scope="rowgroup" colSpan={COLUMN_COUNT}>
          <span className="totals">
            <strong>{group.name ?? without}</strong>
            <TaskNumbers totals={totalsOf(group.tasks)} />
          </span>
        </th>
      </tr>
      {group.tasks.map((task) => (
        <TaskRow key={task.id} task={task} cause={causes.get(task.id)} />
      ))}
    </tbody>
  );
}

interface TaskTableProps {
  route: Route;
  tasks: readonly ListedTask[];
}

/** The tasks of the list, grouped as the URL says. */
export function TaskTable({ route, tasks }: TaskTableProps) {
  const causes = useTaskCauses(tasks);
  const grouping = parseGrouping(route.query);
  const groups = grouping && groupTasks(tasks, grouping);
  const rows = groups?.reduce((sum, group) => sum + 1 + group.tasks.length, 0) ?? tasks.length;
  return (
    <table className="tasks" style={{ "--rows": rows } as CSSProperties}>
      <thead>
        <tr>
          <SortableHeader route={route} name="name" label="Task" />
          <th scope="col" className="head-state">
            State
          </th>
          <th scope="col" className="head-why">
            Needs help
          </th>
          <th scope="col" className="head-progress">
            Progress
          </th>
          <th scope="col" className="head-jobs">
            Jobs done
          </th>
          <th scope="col" className="head-rate">
            Rate
          </th>
          <SortableHeader route={route} name="finished" label="Finish" />
          <SortableHeader route={route} name="submitted" label="Submitted" />
          <th scope="col" className="head-user">
            User
          </th>
          <th scope="col" className="head-tags">
            Tags
          </th>
        </tr>
      </thead>
      {groups === null || grouping === null ? (
        <tbody>
          {tasks.map((task) => (
            <TaskRow key={task.id} task={task} cause={causes.get(task.id)} />
          ))}
        </tbody>
      ) : (
        groups.map((group) => (
          <Group
            key={group.name}
            group={group}
            without={GROUPINGS[grouping].without}
            causes={causes}
          />
        ))
      )}
    </table>
  );
}

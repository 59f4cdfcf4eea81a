/** What tasks can be grouped by, by the names in the URL. */
export const GROUPINGS = {
  user: { label: "user", without: "without a user" },
  tag: { label: "tag", without: "without tags" },
} as const;

/** A name of `GROUPINGS`. */
export type Grouping = keyof typeof GROUPINGS;

/** What a task is grouped by. */
export interface Groupable {
  username: string | null;
  tags: readonly string[];
}

/** The tasks that have a user or tag in common. */
export interface TaskGroup<T> {
  /** The user or tag; null for the tasks without one. */
  name: string | null;
  tasks: T[];
}

/** The grouping of a URL; null without a valid `group`. */
export function parseGrouping(query: URLSearchParams): Grouping | null {
  const name = query.get("group") ?? "";
  return Object.hasOwn(GROUPINGS, name) ? (name as Grouping) : null;
}

/**
 * The groups of some tasks, in the order of their first tasks; those without a user or tag are last.
 * A task with several tags is in each of their groups.
 */
export function groupTasks<T extends Groupable>(
  tasks: readonly T[],
  grouping: Grouping,
): TaskGroup<T>[] {
  const groups = new Map<string | null, T[]>();
  for (const task of tasks) {
    const names = grouping === "user" ? [task.username] : task.tags.length > 0 ? task.tags : [null];
    for (const name of names) {
      const group = groups.get(name);
      if (group) group.push(task);
      else groups.set(name, [task]);
    }
  }
  const found = [...groups].map(([name, members]) => ({ name, tasks: members }));
  return found.sort((one, other) => Number(one.name === null) - Number(other.name === null));
}

/** Two processes of a task, the second of which waits for the first. */
export interface Dependency {
  from: string;
  to: string;
}

/** What `dependencies` of a task says of its processes. */
export interface Dependencies {
  edges: Dependency[];
  /** Names in it that no process of the task has. */
  unknown: string[];
}

/** The JSON value; REST clients send it as a text. Other texts, like pickles, stay as they are. */
function decode(value: unknown): unknown {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/**
 * The dependencies between processes, from an object that has for names of processes the names of
 * those they wait for. Null for anything else, and where it connects no two processes of the task.
 */
export function parseDependencies(
  value: unknown,
  processes: ReadonlySet<string>,
): Dependencies | null {
  const graph = decode(value);
  if (typeof graph !== "object" || graph === null || Array.isArray(graph)) return null;
  const edges = new Map<string, Dependency>();
  const unknown = new Set<string>();
  for (const [to, awaited] of Object.entries(graph)) {
    if (!Array.isArray(awaited)) return null;
    if (!processes.has(to)) unknown.add(to);
    for (const from of awaited) {
      if (typeof from !== "string") return null;
      if (!processes.has(from)) unknown.add(from);
      else if (processes.has(to)) edges.set(JSON.stringify([from, to]), { from, to });
    }
  }
  return edges.size === 0 ? null : { edges: [...edges.values()], unknown: [...unknown] };
}

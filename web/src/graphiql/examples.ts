import { GRAPHQL_URL } from "../api";
import create from "./examples/create.graphql?raw";
import failing from "./examples/failing.graphql?raw";
import submit from "./examples/submit.graphql?raw";
import tree from "./examples/tree.graphql?raw";
import watch from "./examples/watch.graphql?raw";

/** The content of a tab. */
export interface Example {
  query: string;
  variables: string;
  headers: string | null;
}

/** Timeout for the request that finds a task name. */
const TIMEOUT_MS = 2000;
const TASKS = `{
  trouble: tasks(first: 1, filter: { names: ["trouble-*"] }) { nodes { name } }
  any: tasks(first: 1) { nodes { name } }
}`;

interface Tasks {
  data: Record<"trouble" | "any", { nodes: { name: string }[] }>;
}

/** The name of the task for the examples: the failing one of the demo, or else the newest. */
async function exampleTask(): Promise<string> {
  try {
    const response = await fetch(GRAPHQL_URL, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query: TASKS }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const { data } = (await response.json()) as Tasks;
    return (data.trouble.nodes[0] ?? data.any.nodes[0])?.name ?? "night";
  } catch {
    // The examples work with any name; the user can replace it.
    return "night";
  }
}

/** The tabs of a first visit, with the name of an existing task. */
export async function examples(): Promise<Example[]> {
  const task = await exampleTask();
  const newName = `example-${Date.now().toString(36)}`;
  const processes = [{ name: "histograms", jobCount: 20, failureTolerance: 2 }, { name: "merge" }];
  // In the demo this job is silent; a beat makes it alive again.
  const event = { task, process: "silent", index: 9, eventClass: "BEAT" };
  return [
    tab(tree, { task }),
    tab(failing, { task }),
    tab(create, { input: { name: newName, username: "ada", tags: ["example"], processes } }),
    tab(submit, { input: event }),
    tab(watch, { task }),
  ];
}

function tab(query: string, variables: object): Example {
  return { query, variables: JSON.stringify(variables, null, 2), headers: null };
}

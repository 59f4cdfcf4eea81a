import { GRAPHQL_URL } from "../api";
import create from "./examples/create.graphql?raw";
import failing from "./examples/failing.graphql?raw";
import submit from "./examples/submit.graphql?raw";
import tree from "./examples/tree.graphql?raw";
import watch from "./examples/watch.graphql?raw";

/** The contents of a tab. */
export interface Example {
  query: string;
  variables: string;
  headers: string | null;
}

/** How long the page waits for the name of a task, in ms. */
const PATIENCE = 2000;
const TASKS = `{
  trouble: tasks(first: 1, filter: { names: ["trouble-*"] }) { nodes { name } }
  any: tasks(first: 1) { nodes { name } }
}`;

interface Tasks {
  data: Record<"trouble" | "any", { nodes: { name: string }[] }>;
}

/** The task that the examples are about: that of the demonstration, or else the newest. */
async function exampleTask(): Promise<string> {
  try {
    const response = await fetch(GRAPHQL_URL, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query: TASKS }),
      signal: AbortSignal.timeout(PATIENCE),
    });
    const { data } = (await response.json()) as Tasks;
    return (data.trouble.nodes[0] ?? data.any.nodes[0])?.name ?? "night";
  } catch {
    // The tabs are of use without a name in them, too: the reader has to fill it in.
    return "night";
  }
}

/** The tabs that a first visit finds, with the name of a task that is there. */
export async function examples(): Promise<Example[]> {
  const task = await exampleTask();
  const fresh = `example-${Date.now().toString(36)}`;
  const processes = [{ name: "histograms", jobCount: 20, failureTolerance: 2 }, { name: "merge" }];
  // In the demonstration, this job is silent: a beat brings it back.
  const event = { task, process: "silent", index: 9, eventClass: "BEAT" };
  return [
    tab(tree, { task }),
    tab(failing, { task }),
    tab(create, { input: { name: fresh, username: "ada", tags: ["example"], processes } }),
    tab(submit, { input: event }),
    tab(watch, { task }),
  ];
}

function tab(query: string, variables: object): Example {
  return { query, variables: JSON.stringify(variables, null, 2), headers: null };
}

// Lists all tasks of a server, and shows the state and the events of the one that is selected.
import { connect } from "./lamia.js";

const TASKS = `query Tasks($first: Int!, $after: String) {
  tasks(first: $first, after: $after, orderBy: { field: NAME, direction: ASC }) {
    nodes { id name }
    pageInfo { hasNextPage endCursor }
  }
}`;
const CHANGES = `subscription Changes($name: String!) {
  taskChanged(names: [$name]) { id state progress { ratio } }
}`;
const EVENTS = `subscription Events($task: String!, $after: String!) {
  events(task: $task, after: $after) {
    cursor
    node { id eventClass process { name } job { index } }
  }
}`;

const parameters = new URLSearchParams(location.search);
const lamia = connect(parameters.get("server") ?? "http://127.0.0.1:8088");
const element = (id) => document.getElementById(id);

function append(list, text) {
  const item = document.createElement("li");
  item.textContent = text;
  element(list).append(item);
  return item;
}

/** The present state of a task, and each later one. */
async function showState(name) {
  // The present state comes first, so that nothing has to be resumed.
  for await (const { taskChanged } of lamia.subscribe(CHANGES, () => ({ name }))) {
    const { state, progress } = taskChanged;
    element("state").textContent = `${state} ${Math.floor(100 * (progress?.ratio ?? 0))} %`;
  }
  element("state").textContent = "deleted";
}

/** All events of a task, each once. */
async function showEvents(task) {
  let after = "";
  for await (const { events } of lamia.subscribe(EVENTS, () => ({ task, after }))) {
    const { eventClass, process, job } = events.node;
    append("events", `${process.name} ${job.index ?? ""} ${eventClass}`);
    after = events.cursor;
  }
}

function show(name) {
  element("tasks").inert = true;
  element("task").textContent = name;
  return Promise.all([showState(name), showEvents(name)]);
}

function tell(error) {
  element("error").textContent = `${error.code ?? error.name}: ${error.message}`;
}

try {
  const first = Number(parameters.get("page") ?? 100);
  for await (const { name } of lamia.pages(TASKS, { first }, (data) => data.tasks)) {
    append("tasks", name).onclick = () => show(name).catch(tell);
  }
} catch (error) {
  tell(error);
}

"""The GraphQL documents that the clients of the simulator send."""

from __future__ import annotations

CREATE = """mutation($input: CreateTaskInput!) { createTask(input: $input) {
  task { id } userErrors { code message } } }"""
DELETE = """mutation($name: String!) { deleteTask(input: {name: $name}) {
  deletedId userErrors { code message } } }"""
EDIT = """mutation($input: UpdateTaskInput!) { updateTask(input: $input) {
  task { id comment } userErrors { code message } } }"""
ADD = """mutation($input: AddProcessesInput!) { addProcesses(input: $input) {
  task { id } processes { name } userErrors { code message } } }"""
SUBMIT = """mutation($input: SubmitEventInput!) { submitEvent(input: $input) {
  event { uuid } duplicate enough userErrors { code message } } }"""
SUBMIT_MANY = """mutation($input: SubmitEventsInput!) { submitEvents(input: $input) {
  results { duplicate enough userErrors { code message } } } }"""
TASK_ID = "query($task: String!) { task(name: $task) { id } }"
SHAPE = """query($task: String!) { task(name: $task) { id state comment
  processes(first: 30) { nodes { name state enough
    counts { total pending submitted running done failed terminated }
    progress { current target ratio basis } events(first: 0) { totalCount }
    ... on JobArray { jobs(first: 100) { nodes { index state } } }
    ... on SolitaryProcess { job { index state } } } } } }"""
JOBS = """query($task: String!, $process: String!, $first: Int, $after: String,
  $filter: JobFilter) { process(task: $task, name: $process) { ... on JobArray {
  jobs(first: $first, after: $after, filter: $filter) {
    nodes { index state } pageInfo { endCursor hasNextPage } } } } }"""
TASKS = """query($first: Int, $after: String) { tasks(first: $first, after: $after,
  orderBy: {field: NAME, direction: ASC}) {
  nodes { id name } pageInfo { endCursor hasNextPage } } }"""
_PAGE = """events(first: $first, after: $after, last: $last, before: $before,
    eventClass: $classes) {
    edges { cursor node { uuid eventClass progress attempt payload sentAt receivedAt
      process { name } job { index } } }
    pageInfo { endCursor hasNextPage startCursor hasPreviousPage } }"""
_ARGUMENTS = """($task: String!, $first: Int, $after: String, $last: Int, $before: String,
  $classes: [EventClass!]"""
EVENTS = f"query{_ARGUMENTS}) {{ task(name: $task) {{ {_PAGE} }} }}"
EVENTS_OF_PROCESS = f"""query{_ARGUMENTS}, $process: String!) {{
  task(name: $task) {{ process(name: $process) {{ {_PAGE} }} }} }}"""
PROCESSES = """query($task: String!, $first: Int, $after: String) { task(name: $task) {
  processes(first: $first, after: $after) {
    nodes { name } pageInfo { endCursor hasNextPage } } } }"""
JOBS_OF_P = JOBS.replace(", $process: String!", "").replace("name: $process", 'name: "p"')
LISTS = {
    "events": (EVENTS, ("task", "events")),
    "processes": (PROCESSES, ("task", "processes")),
    "jobs": (
        JOBS_OF_P.replace(",\n  $filter: JobFilter", "").replace(", filter: $filter", ""),
        ("process", "jobs"),
    ),
    "tasks": (TASKS, ("tasks",)),
}
"""For each kind of list a document, and the way to the list in its answer."""
WATCH_EVENTS = """subscription($task: String!, $process: String, $classes: [EventClass!],
  $after: String) { events(task: $task, process: $process, eventClass: $classes, after: $after) {
  cursor node { uuid job { index } process { name } } } }"""
SNAPSHOT = """{ id name state comment counts { total pending submitted running done failed
  terminated } processes(first: 10) { nodes { name state enough progress { current } } } }"""
WATCH_ALL = f"subscription {{ taskChanged {SNAPSHOT} }}"
WATCH_TASK = f"subscription($task: String!) {{ taskChanged(names: [$task]) {SNAPSHOT} }}"

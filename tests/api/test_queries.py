"""Queries: the task tree, nodes by id, jobs and events by filter, edits, timelines."""

from __future__ import annotations

import json
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.harness import Server

TREE = """query($name: String!) { task(name: $name) {
  id name username email comment tags submittedAt receivedAt hostname clientAddress config
  dependencies state outlook progress { ratio } counts { total pending done failed }
  startedAt finishedAt lastEventAt estimatedFinishAt
  processes { totalCount nodes { __typename id name kind jobCount threshold beatInterval state
    outlook enough progress { ratio basis } counts { done }
    ... on JobArray { firstIndex failureTolerance
      jobs(first: 10) { nodes { index state starts hostname startedAt finishedAt
        events(first: 10) { nodes { eventClass sentAt payload attempt job { index } } } } } }
    ... on SolitaryProcess { job { index state events(first: 10) { totalCount } } } } } } }"""


def test_the_whole_tree_in_one_query(server: Server) -> None:
    """Task, processes, jobs and events, nested, as they were sent."""
    config = {"deep": [1, 2.5, None, {"ü": "☃"}], "big": 2**53}
    server.create(
        "night",
        {"name": "fill", "jobCount": 3, "firstIndex": 1, "failureTolerance": 1, "beatInterval": 60},
        {"name": "merge", "threshold": 10},
        username="ada",
        email="ada@example.org",
        comment="the first",
        tags=["b", "a", "b"],
        hostname="login1",
        submittedAt="2026-11-23T10:00:00+02:00",
        config=config,
        dependencies="opaque",
    )
    server.submit("night", "fill", "STARTED", index=1, hostname="node7", attempt=2)
    server.submit("night", "fill", "DONE", index=1, payload={"files": ["a.root"]})
    server.submit("night", "merge", "BEAT", sentAt="2026-11-23T12:00:00.5")
    task = server.graphql(TREE, name="night")["task"]
    assert task["config"] == config
    assert (task["dependencies"], task["tags"]) == ("opaque", ["a", "b"])
    assert (task["submittedAt"], task["hostname"]) == ("2026-11-23T08:00:00+00:00", "login1")
    assert task["clientAddress"] == "127.0.0.1"
    assert task["counts"] == {"total": 4, "pending": 2, "done": 0, "failed": 0}
    assert task["processes"]["totalCount"] == 2
    fill, merge = task["processes"]["nodes"]
    assert (fill["__typename"], fill["kind"], fill["firstIndex"]) == ("JobArray", "ARRAY", 1)
    jobs = fill["jobs"]["nodes"]
    assert [(job["index"], job["state"]) for job in jobs] == [
        (1, "RUNNING"),  # the DONE was of an earlier attempt than the STARTED
        (2, "PENDING"),
        (3, "PENDING"),
    ]
    events = jobs[0]["events"]["nodes"]
    assert [event["eventClass"] for event in events] == ["STARTED", "DONE"]
    assert events[1]["payload"] == {"files": ["a.root"]}
    assert events[0]["attempt"] == 2
    assert merge["job"] == {"index": None, "state": "RUNNING", "events": {"totalCount": 1}}
    assert task["lastEventAt"].endswith("+00:00")


def test_nodes_by_their_ids(server: Server) -> None:
    """`node` finds every object by its id; a deleted one is null."""
    server.create("night", {"name": "fill", "jobCount": 3}, {"name": "merge"})
    server.submit("night", "fill", "BEAT", index=2)
    task = server.graphql(
        """{ task(name: "night") { id events(first: 1) { nodes { id } } processes { nodes { id
          ... on JobArray { jobs(first: 3) { nodes { id } } }
          ... on SolitaryProcess { job { id } } } } } }"""
    )["task"]
    fill, merge = task["processes"]["nodes"]
    ids = [task["id"], fill["id"], merge["id"], merge["job"]["id"]]
    ids += [job["id"] for job in fill["jobs"]["nodes"]] + [task["events"]["nodes"][0]["id"]]
    assert len(set(ids)) == len(ids)
    query = "query($id: ID!) { node(id: $id) { __typename id } }"
    kinds = []
    for one in ids:
        node = server.graphql(query, id=one)["node"]
        assert node["id"] == one
        kinds.append(node["__typename"])
    assert kinds == ["Task", "JobArray", "SolitaryProcess", *["Job"] * 4, "Event"]
    server.graphql('mutation { deleteTask(input: {name: "night"}) { userErrors { code } } }')
    for one in ids:
        assert server.graphql(query, id=one)["node"] is None


def test_jobs_by_state_liveness_and_page(server: Server) -> None:
    """Jobs without events are listed as PENDING like all others."""
    server.create("night", {"name": "a", "jobCount": 12, "firstIndex": 5, "beatInterval": 600})
    silent = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    for index, event_class in ((6, "DONE"), (9, "FAILED"), (10, "STARTED"), (12, "DONE")):
        server.submit("night", "a", event_class, index=index)
    server.submit("night", "a", "STARTED", index=11, sentAt=silent)

    def jobs(arguments: str) -> Any:
        query = """{ process(task: "night", name: "a") { ... on JobArray { jobs(ARGUMENTS) {
          totalCount nodes { index state liveness } pageInfo { hasNextPage endCursor } } } } }"""
        return server.graphql(query.replace("ARGUMENTS", arguments))["process"]["jobs"]

    def indices(arguments: str) -> str:
        query = '{ process(task: "night", name: "a") { ... on JobArray { indices(ARGUMENTS) } } }'
        found: str = server.graphql(query.replace("(ARGUMENTS)", arguments))["process"]["indices"]
        return found

    assert [job["index"] for job in jobs("first: 50")["nodes"]] == list(range(5, 17))
    pending = jobs("first: 50, filter: {states: [PENDING]}")
    assert [job["index"] for job in pending["nodes"]] == [5, 7, 8, 13, 14, 15, 16]
    assert pending["totalCount"] == 7
    lost = jobs("first: 50, filter: {liveness: LOST}")
    assert lost["nodes"] == [{"index": 11, "state": "RUNNING", "liveness": "LOST"}]
    assert [j["index"] for j in jobs("first: 9, filter: {liveness: ALIVE}")["nodes"]] == [10]

    found, cursor = [], ""
    while True:
        page = jobs(f"first: 2, filter: {{states: [PENDING, DONE]}}{cursor}")
        found += [job["index"] for job in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        cursor = f', after: "{page["pageInfo"]["endCursor"]}"'
    assert found == [5, 6, 7, 8, 12, 13, 14, 15, 16]

    assert indices("") == "5-16"
    assert indices("(states: [PENDING])") == "5,7-8,13-16"
    assert indices("(states: [DONE, FAILED])") == "6,9,12"
    assert indices("(liveness: LOST)") == "11"
    assert indices("(states: [TERMINATED])") == ""
    ranges = server.graphql(
        """{ process(task: "night", name: "a") { ... on JobArray {
          stateRanges { first last state } job(index: 9) { state } missing: job(index: 17) { id }
        } outlook } }"""
    )["process"]
    assert [(r["first"], r["last"], r["state"]) for r in ranges["stateRanges"]] == [
        (5, 5, "PENDING"),
        (6, 6, "DONE"),
        (7, 8, "PENDING"),
        (9, 9, "FAILED"),
        (10, 11, "RUNNING"),
        (12, 12, "DONE"),
        (13, 16, "PENDING"),
    ]
    assert (ranges["job"]["state"], ranges["missing"]) == ("FAILED", None)
    # A beat revives: liveness is derived on reading.
    server.submit("night", "a", "BEAT", index=11)
    assert indices("(liveness: LOST)") == ""


def test_pages_of_jobs_in_both_directions(server: Server) -> None:
    """Pages from either end, between any cursors and by any filter, are parts of the whole list."""
    chance = random.Random(11)
    server.create("mix", {"name": "a", "jobCount": 40, "firstIndex": 2, "beatInterval": 600})
    classes = ("STARTED", "DONE", "FAILED")
    server.submit_many(
        [
            {"task": "mix", "process": "a", "index": index, "eventClass": chance.choice(classes)}
            for index in chance.sample(range(2, 42), 22)
        ]
    )

    def jobs(*pages: str) -> list[Any]:
        fields = " ".join(f"p{n}: jobs({page}) {{ ...page }}" for n, page in enumerate(pages))
        query = f"""{{ process(task: "mix", name: "a") {{ ... on JobArray {{ {fields} }} }} }}
          fragment page on JobConnection {{
            pageInfo {{ hasNextPage hasPreviousPage }} edges {{ cursor node {{ index }} }} }}"""
        return list(server.graphql(query)["process"].values())

    def told(page: Any) -> tuple[list[int], bool, bool]:
        info = page["pageInfo"]
        indices = [edge["node"]["index"] for edge in page["edges"]]
        return indices, info["hasPreviousPage"], info["hasNextPage"]

    for wanted in ("", "states: [PENDING]", "states: [PENDING, DONE]", "liveness: ALIVE"):
        given = f", filter: {{{wanted}}}"
        [whole] = jobs(f"first: 100{given}")
        every, cursors = told(whole)[0], [edge["cursor"] for edge in whole["edges"]]
        assert len(every) > 5
        pages, expected = [], []
        for _ in range(12):
            size = chance.randint(0, 9)
            low, high = sorted(chance.choices(range(-1, len(every) + 1), k=2))
            bounds = f", after: {json.dumps(cursors[low])}" if low >= 0 else ""
            if high < len(every):
                bounds += f", before: {json.dumps(cursors[high])}"
            part = every[low + 1 : high]
            more = len(part) > size
            pages += [f"last: {size}{bounds}{given}", f"first: {size}{bounds}{given}"]
            expected += [
                (part[len(part) - min(size, len(part)) :], more, high < len(every)),
                (part[:size], low >= 0, more),
            ]
        assert [told(page) for page in jobs(*pages)] == expected, wanted


def test_bad_page_beside_good_ones(server: Server) -> None:
    """The error of one list at the root leaves the other fields as they are."""
    server.create("night", {"name": "a"})
    answer = server.request(
        "{ bad: tasks(first: 1000) { totalCount } good: tasks(first: 1) { totalCount } }"
    ).json()
    assert answer["data"] == {"bad": None, "good": {"totalCount": 1}}
    [error] = answer["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["bad"], "PAGE_SIZE_INVALID")


def test_event_under_the_former_name_of_its_uuid(server: Server) -> None:
    """`id` of earlier clients is `uuid`: an event that is sent again under either counts once."""
    server.create("night", {"name": "a"})
    mine = str(uuid.uuid4())
    for number, name in enumerate(("id", "uuid", "id")):
        sent = server.try_submit("night", "a", "BEAT", **{name: mine})
        assert (sent["duplicate"], sent["userErrors"]) == (number > 0, [])
    events = server.graphql('{ task(name: "night") { events(first: 9) { nodes { uuid } } } }')
    assert events["task"]["events"]["nodes"] == [{"uuid": mine}]


def test_ranges_and_indices_agree_with_the_jobs(server: Server) -> None:
    """For random arrays, stateRanges, indices and the list of jobs agree."""
    chance = random.Random(7)
    server.create("mix", {"name": "a", "jobCount": 90, "firstIndex": 1})
    classes = ["STARTED", "DONE", "FAILED", "SUBMITTED"]
    server.submit_many(
        [
            {
                "task": "mix",
                "process": "a",
                "index": chance.randint(1, 90),
                "eventClass": chance.choice(classes),
            }
            for _ in range(60)
        ]
    )
    array = server.graphql(
        """{ process(task: "mix", name: "a") { counts { pending submitted running done failed }
          ... on JobArray {
          jobs(first: 100) { nodes { index state } } stateRanges { first last state }
          pending: indices(states: [PENDING]) submitted: indices(states: [SUBMITTED])
          running: indices(states: [RUNNING]) done: indices(states: [DONE])
          failed: indices(states: [FAILED]) } } }"""
    )["process"]
    states = {job["index"]: job["state"] for job in array["jobs"]["nodes"]}
    told = {i: r["state"] for r in array["stateRanges"] for i in range(r["first"], r["last"] + 1)}
    assert told == states
    assert len({r["first"] for r in array["stateRanges"]}) == len(array["stateRanges"])
    for state in ("pending", "submitted", "running", "done", "failed"):
        listed = set()
        for part in filter(None, array[state].split(",")):
            first, _, last = part.partition("-")
            listed |= set(range(int(first), int(last or first) + 1))
        assert listed == {i for i, s in states.items() if s == state.upper()}
        assert array["counts"][state] == len(listed)


def test_events_of_a_task_a_process_and_a_job(server: Server) -> None:
    """Events are listed at each level, in order of arrival, by class, both ways."""
    server.create("night", {"name": "a", "jobCount": 2}, {"name": "b"})
    for step in range(5):
        server.submit("night", "a", "PROGRESS", index=step % 2, progress=step)
        server.submit("night", "b", "BEAT")

    def events(within: str, arguments: str) -> Any:
        query = within.replace(
            "EVENTS",
            "events(ARGUMENTS) { totalCount nodes { progress process { name } }"
            " pageInfo { startCursor hasPreviousPage } }",
        )
        found = server.graphql(query.replace("ARGUMENTS", arguments))
        while "events" not in found:
            (found,) = found.values()
        return found["events"]

    task = '{ task(name: "night") { EVENTS } }'
    process = '{ process(task: "night", name: "a") { EVENTS } }'
    job = '{ job(task: "night", process: "a", index: 1) { EVENTS } }'
    assert events(task, "first: 50")["totalCount"] == 10
    assert events(task, "first: 3, eventClass: [BEAT]")["totalCount"] == 5
    assert [e["progress"] for e in events(process, "first: 50")["nodes"]] == [0, 1, 2, 3, 4]
    assert [e["progress"] for e in events(job, "first: 50")["nodes"]] == [1, 3]
    last = events(process, "last: 2")
    assert [e["progress"] for e in last["nodes"]] == [3, 4]
    cursor = last["pageInfo"]["startCursor"]
    earlier = events(process, f'last: 2, before: "{cursor}"')
    assert [e["progress"] for e in earlier["nodes"]] == [1, 2]
    assert earlier["pageInfo"]["hasPreviousPage"] is True


def test_a_task_is_edited_extended_and_deleted(server: Server) -> None:
    """Edits change the given fields; a running task gets processes; deletion frees a name."""
    server.create("night", {"name": "a", "jobCount": 2}, comment="old", tags=["x"], username="ada")
    server.submit("night", "a", "DONE", index=0)
    server.submit("night", "a", "DONE", index=1)
    assert server.graphql('{ task(name: "night") { state } }')["task"]["state"] == "SUCCEEDED"
    edited = server.graphql(
        """mutation { updateTask(input: {name: "night", comment: "new", tags: null}) {
          task { comment tags username } userErrors { code } } }"""
    )["updateTask"]["task"]
    assert edited == {"comment": "new", "tags": [], "username": "ada"}
    added = server.graphql(
        """mutation { addProcesses(input: {task: "night", processes: [{name: "b"}]}) {
          task { state processes { nodes { name } } } userErrors { code } } }"""
    )["addProcesses"]["task"]
    assert added["state"] == "RUNNING"
    assert [process["name"] for process in added["processes"]["nodes"]] == ["a", "b"]
    server.check_counters()
    gone = server.graphql(
        """mutation { deleteTasks(input: {names: ["night", "nobody"]}) {
          deleted userErrors { code } } }"""
    )["deleteTasks"]
    assert gone == {"deleted": 1, "userErrors": []}
    assert server.graphql('{ task(name: "night") { id } }')["task"] is None
    server.create("night", {"name": "a"})
    assert server.graphql('{ task(name: "night") { events(first: 1) { totalCount } } }') == {
        "task": {"events": {"totalCount": 0}}
    }


def test_timeline_shows_how_it_went(server: Server) -> None:
    """A timeline has evenly spaced points, ends with the present, and never decreases."""
    server.create("night", {"name": "a", "jobCount": 4}, {"name": "b"})
    for index in range(3):
        server.submit("night", "a", "DONE", index=index)
    query = """{ task(name: "night") { timeline(points: 10) { at ratio
      counts { total pending done } }
      process(name: "a") { timeline(points: 3) { at ratio } } } }"""
    task = server.graphql(query)["task"]
    line = task["timeline"]
    assert [point["at"] for point in line] == sorted({point["at"] for point in line})
    assert line[-1]["counts"] == {"total": 5, "pending": 2, "done": 3}
    assert task["process"]["timeline"][-1]["ratio"] == 0.75
    assert server.graphql('{ task(name: "night") { process(name: "b") { timeline { at } } } }')

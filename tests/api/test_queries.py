"""What a front-end asks: lists with filters and orders, pages both ways, nodes, and the tree."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.harness import Server

TREE = """query($name: String!) { task(name: $name) {
  id name username email comment tags submittedAt receivedAt hostname clientAddress config
  dependencies state outlook progress { ratio } counts { total pending done failed }
  startedAt finishedAt lastEventAt estimatedFinishAt
  processes { totalCount nodes { __typename id name kind jobCount threshold beatInterval state
    outlook enough progress { ratio basis } counts { done }
    ... on Array { firstIndex failureTolerance
      jobs(first: 10) { nodes { index state starts hostname startedAt finishedAt
        events(first: 10) { nodes { eventClass sentAt payload attempt job { index } } } } } }
    ... on SolitaryProcess { job { index state events(first: 10) { totalCount } } } } } } }"""


@pytest.fixture
def people(server: Server) -> Server:
    """Tasks of three people, in different states, submitted a day after each other."""
    for place, (name, username, tags) in enumerate(
        [
            ("higgs-2016", "ada", ["run2", "higgs"]),
            ("higgs-2017", "ada", ["run2", "higgs", "redo"]),
            ("top_2017", "bob", ["run2"]),
            ("Top-2018", "bob", []),
            ("100%", "eve", ["odd"]),
            ("a[b]c", None, ["odd"]),
        ]
    ):
        server.create(
            name,
            {"name": "jobs", "jobCount": 2},
            {"name": "merge"},
            username=username,
            tags=tags,
            comment=f"the {name.upper()} search" if username != "eve" else "Überprüfung",
            submittedAt=(datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=place)).isoformat(),
        )
    for index in (0, 1):
        server.submit("higgs-2016", "jobs", "DONE", index=index)
    server.submit("higgs-2016", "merge", "DONE")
    server.submit("higgs-2017", "jobs", "STARTED", index=0)
    server.submit("top_2017", "jobs", "SUBMITTED", index=0)
    server.submit("Top-2018", "merge", "FAILED")
    return server


def names(server: Server, condition: str, rest: str = "") -> list[str]:
    """The names of the tasks for which the condition holds, and their number agrees."""
    found = server.graphql(
        "{ tasks(first: 50, filter: {FILTER} REST) { totalCount nodes { name } } }".replace(
            "FILTER", condition
        ).replace("REST", rest)
    )["tasks"]
    assert found["totalCount"] == len(found["nodes"])
    return [task["name"] for task in found["nodes"]]


def test_tasks_are_found_by_all_that_they_have(people: Server) -> None:
    """Every filter, alone and together."""
    assert names(people, 'names: ["higgs-*"]') == ["higgs-2017", "higgs-2016"]
    assert names(people, 'names: ["*2017", "100%"]') == ["100%", "top_2017", "higgs-2017"]
    # What is special to LIKE or GLOB is not special here.
    assert names(people, 'names: ["a[b]*"]') == ["a[b]c"]
    assert names(people, 'names: ["?00%"]') == ["100%"]
    assert names(people, 'names: ["%"]') == []
    assert names(people, 'names: ["top?2017", "TOP*"]') == ["top_2017"]
    assert names(people, "names: []") == []
    assert names(people, 'usernames: ["bob"]') == ["Top-2018", "top_2017"]
    assert names(people, 'tagsAny: ["redo", "odd"]') == ["a[b]c", "100%", "higgs-2017"]
    assert names(people, 'tagsAll: ["run2", "higgs"]') == ["higgs-2017", "higgs-2016"]
    # A tag that nobody can have is one that nobody has.
    assert names(people, r'tagsAll: ["run2", "\u0000"]') == []
    assert names(people, r'tagsAny: ["redo", "\u0000"]') == ["higgs-2017"]
    assert names(people, "states: [SUCCEEDED]") == ["higgs-2016"]
    assert names(people, "states: [SUBMITTED, RUNNING]") == ["Top-2018", "top_2017", "higgs-2017"]
    assert names(people, "hasEventClass: [STARTED, FAILED]") == ["Top-2018", "higgs-2017"]
    assert names(people, 'text: "ToP"') == ["Top-2018", "top_2017"]
    assert names(people, 'text: "0%"') == ["100%"]
    assert names(people, 'text: "REDO"') == ["higgs-2017"]
    assert names(people, 'text: "bob"') == ["Top-2018", "top_2017"]
    assert names(people, 'text: "üBER"') == ["100%"]
    window = 'submitted: {after: "2026-11-02T00:00:00Z", before: "2026-11-03T01:00:00+01:00"}'
    assert names(people, window) == ["higgs-2017"]
    assert names(people, 'finished: {after: "2026-01-01T00:00:00Z"}') == ["higgs-2016"]
    assert names(people, 'usernames: ["ada"], states: [RUNNING], tagsAny: ["redo"]') == [
        "higgs-2017"
    ]


def test_tasks_come_in_the_order_that_is_asked_for(people: Server) -> None:
    """Every order, both ways."""
    fields = people.graphql('{ __type(name: "TaskOrderField") { enumValues { name } } }')
    everything = set(names(people, ""))
    for field in fields["__type"]["enumValues"]:
        for direction in ("ASC", "DESC"):
            order = f", orderBy: {{field: {field['name']}, direction: {direction}}}"
            assert set(names(people, "", order)) == everything
    newest = names(people, "", ", orderBy: {field: SUBMITTED_AT}")
    assert newest == ["a[b]c", "100%", "Top-2018", "top_2017", "higgs-2017", "higgs-2016"]
    by_name = names(people, "", ", orderBy: {field: NAME, direction: ASC}")
    assert by_name[0] == "100%"
    # Whoever has not finished counts as the oldest.
    assert names(people, "", ", orderBy: {field: FINISHED_AT}")[0] == "higgs-2016"
    ascending = names(people, "", ", orderBy: {field: FINISHED_AT, direction: ASC}")
    assert ascending[-1] == "higgs-2016"


PAGES = """query($first: Int, $after: String, $last: Int, $before: String, $order: TaskOrder) {
  tasks(first: $first, after: $after, last: $last, before: $before, orderBy: $order) {
    edges { cursor node { name } } nodes { name } totalCount
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""


def walk(server: Server, step: int, forwards: bool, **order: str) -> list[str]:
    """All names, by pages of this size, one way or the other."""
    found: list[str] = []
    cursor = None
    while True:
        arguments: dict[str, Any] = (
            {"first": step, "after": cursor} if forwards else {"last": step, "before": cursor}
        )
        page = server.graphql(PAGES, order=order, **arguments)["tasks"]
        names = [edge["node"]["name"] for edge in page["edges"]]
        assert names == [node["name"] for node in page["nodes"]]
        info = page["pageInfo"]
        assert info["startCursor"] == page["edges"][0]["cursor"]
        assert info["endCursor"] == page["edges"][-1]["cursor"]
        found = found + names if forwards else names + found
        more = info["hasNextPage" if forwards else "hasPreviousPage"]
        # Whoever walks has just been where the other end points to.
        assert info["hasPreviousPage" if forwards else "hasNextPage"] == (cursor is not None)
        if not more:
            return found
        cursor = info["endCursor" if forwards else "startCursor"]


def test_pages_both_ways_and_while_tasks_are_added(people: Server) -> None:
    """Pages of any size make up the whole list, in both directions, whatever the order."""
    for field in ("RECEIVED_AT", "NAME", "SUBMITTED_AT", "FINISHED_AT", "LAST_EVENT_AT"):
        for direction in ("ASC", "DESC"):
            order = {"field": field, "direction": direction}
            whole = walk(people, 50, True, **order)
            assert len(whole) == 6
            for step in (1, 4):
                assert walk(people, step, True, **order) == whole
                assert walk(people, step, False, **order) == whole
    first = people.graphql(PAGES, first=2)["tasks"]
    people.create("newcomer", {"name": "p"})
    second = people.graphql(PAGES, first=2, after=first["pageInfo"]["endCursor"])["tasks"]
    seen = [node["name"] for node in first["nodes"] + second["nodes"]]
    assert seen == ["a[b]c", "100%", "Top-2018", "top_2017"]
    assert people.graphql(PAGES, first=0)["tasks"]["nodes"] == []


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
    assert (fill["__typename"], fill["kind"], fill["firstIndex"]) == ("Array", "ARRAY", 1)
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
    """Every object is found again by its id; one that is gone is null."""
    server.create("night", {"name": "fill", "jobCount": 3}, {"name": "merge"})
    server.submit("night", "fill", "BEAT", index=2)
    task = server.graphql(
        """{ task(name: "night") { id events(first: 1) { nodes { id } } processes { nodes { id
          ... on Array { jobs(first: 3) { nodes { id } } }
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
    assert kinds == ["Task", "Array", "SolitaryProcess", *["Job"] * 4, "Event"]
    server.graphql('mutation { deleteTask(input: {name: "night"}) { userErrors { code } } }')
    for one in ids:
        assert server.graphql(query, id=one)["node"] is None


def test_jobs_by_state_liveness_and_page(server: Server) -> None:
    """Jobs that were never heard of are there like all others, in every list."""
    server.create("night", {"name": "a", "jobCount": 12, "firstIndex": 5, "beatInterval": 600})
    silent = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    for index, event_class in ((6, "DONE"), (9, "FAILED"), (10, "STARTED"), (12, "DONE")):
        server.submit("night", "a", event_class, index=index)
    server.submit("night", "a", "STARTED", index=11, sentAt=silent)

    def jobs(arguments: str) -> Any:
        query = """{ process(task: "night", name: "a") { ... on Array { jobs(ARGUMENTS) {
          totalCount nodes { index state liveness } pageInfo { hasNextPage endCursor } } } } }"""
        return server.graphql(query.replace("ARGUMENTS", arguments))["process"]["jobs"]

    def indices(arguments: str) -> str:
        query = '{ process(task: "night", name: "a") { ... on Array { indices(ARGUMENTS) } } }'
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
    assert indices("(state: [PENDING])") == "5,7-8,13-16"
    assert indices("(state: [DONE, FAILED])") == "6,9,12"
    assert indices("(liveness: LOST)") == "11"
    assert indices("(state: [TERMINATED])") == ""
    ranges = server.graphql(
        """{ process(task: "night", name: "a") { ... on Array {
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


def test_ranges_and_indices_agree_with_the_jobs(server: Server) -> None:
    """For an array of any look, the run-lengths, the indices and the list say the same."""
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
          ... on Array { jobs(first: 100) { nodes { index state } } stateRanges { first last state }
          pending: indices(state: [PENDING]) submitted: indices(state: [SUBMITTED])
          running: indices(state: [RUNNING]) done: indices(state: [DONE])
          failed: indices(state: [FAILED]) } } }"""
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
    """Events are listed at each level, in the order of their arrival, by class, both ways."""
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
    """Edits change what they name; processes join a task that runs; a freed name is free."""
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
    server.recount()
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
    """A history at evenly spaced times ends with how it is now, and never runs back."""
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

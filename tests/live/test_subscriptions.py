"""Subscriptions: what comes, when it ends, and where it can be resumed."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from lamia_gql.domain.pagination import decode_opaque, encode_opaque
from tests.support.harness import Server
from tests.support.live_clients import (
    BEGINNING,
    CHANGES,
    EVENTS,
    TaskChanges,
    WebSocketClient,
    open_sse,
    until_events_come,
)

ARRAY = {"name": "p", "jobCount": 10}


async def submit(server: Server, index: int, event_class: str = "DONE", task: str = "t") -> None:
    """Submit an event without blocking the event loop."""
    await asyncio.to_thread(server.submit, task, "p", event_class, index=index)


async def error_of(server: Server, query: str, **variables: Any) -> str:
    """The error code with which a subscription is refused."""
    async with WebSocketClient(server.url) as ws:
        await ws.subscribe("1", query, **variables)
        message = await ws.receive()
        assert message["type"] == "error", message
        [error] = message["payload"]
        code: str = error["extensions"]["code"]
        return code


async def test_events_come_from_now_on_and_in_order(server: Server) -> None:
    """Without a cursor only new events come, once, in order, with their jobs."""
    server.create("t", ARRAY)
    server.submit("t", "p", "STARTED", index=0)

    async with WebSocketClient(server.url) as ws:
        await ws.subscribe("1", EVENTS, task="t")
        await until_events_come(server, ws)
        for index in range(3):
            await submit(server, index)
        for index in range(3):
            edge = (await ws.receive())["payload"]["data"]["events"]
            assert edge["node"]["eventClass"] == "DONE"
            assert edge["node"]["job"] == {"index": index}


async def test_events_resume_from_a_cursor_of_any_list(server: Server) -> None:
    """With a cursor, past events after it come first, then new ones."""
    server.create("t", ARRAY)
    for index in range(4):
        server.submit("t", "p", "STARTED", index=index)
    edges = server.graphql('{ task(name: "t") { events(first: 4) { edges { cursor } } } }')
    after = edges["task"]["events"]["edges"][1]["cursor"]

    async with WebSocketClient(server.url) as ws:
        await ws.subscribe("1", EVENTS, task="t", after=after)
        seen = [await ws.receive() for _ in range(2)]
        await submit(server, 9)
        seen.append(await ws.receive())
        indices = [m["payload"]["data"]["events"]["node"]["job"]["index"] for m in seen]
        assert indices == [2, 3, 9]
    last = seen[-1]["payload"]["data"]["events"]["cursor"]
    async with open_sse(server.url, EVENTS, task="t", after=after, last_event_id=last) as stream:
        await submit(server, 5)
        message = await anext(stream)
        assert message.data["data"]["events"]["node"]["job"] == {"index": 5}
        assert message.id == message.data["data"]["events"]["cursor"]


async def test_events_of_a_process_a_job_and_some_classes(sqlite_server: Server) -> None:
    """The filter applies to past and new events."""
    server = sqlite_server
    server.create("t", ARRAY, {"name": "other"})
    server.submit("t", "other", "DONE")
    for index in (3, 4):
        server.submit("t", "p", "STARTED", index=index)
        server.submit("t", "p", "BEAT", index=index)

    async with WebSocketClient(server.url) as ws:
        await ws.subscribe(
            "1", EVENTS, task="t", process="p", index=4, eventClass=["BEAT"], after=BEGINNING
        )
        first = await ws.receive()
        assert first["payload"]["data"]["events"]["node"]["job"] == {"index": 4}
        for index in (3, 4):
            await submit(server, index, "STARTED")
            await submit(server, index, "BEAT")
        second = await ws.receive()
        node = second["payload"]["data"]["events"]["node"]
        assert (node["eventClass"], node["job"]) == ("BEAT", {"index": 4})


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("TASK_NOT_FOUND", {"task": "nobody"}),
        ("PROCESS_NOT_FOUND", {"task": "t", "process": "nothing"}),
        ("INDEX_OUT_OF_RANGE", {"task": "t", "process": "p", "index": 10}),
        ("INDEX_FORBIDDEN", {"task": "t", "process": "alone", "index": 0}),
        ("ARGUMENT_INVALID", {"task": "t", "index": 0}),
        ("CURSOR_INVALID", {"task": "t", "after": "nonsense"}),
        ("CURSOR_INVALID", {"task": "t", "after": "WyJlIiwxMDBd"}),
    ],
)
async def test_invalid_subscriptions_are_refused(
    refusing: Server, code: str, arguments: dict[str, Any]
) -> None:
    """Invalid subscriptions are refused with a code, including cursors of no task."""
    assert await error_of(refusing, EVENTS, **arguments) == code


async def test_a_cursor_of_an_earlier_task_of_the_same_name_is_refused(server: Server) -> None:
    """To resume from it would silently leave out the first events of the new task."""
    server.create("t", ARRAY)
    for index in range(3):
        server.submit("t", "p", "STARTED", index=index)
    async with WebSocketClient(server.url) as wire:
        await wire.subscribe("1", EVENTS, task="t", after=BEGINNING)
        old = [(await wire.receive())["payload"]["data"]["events"]["cursor"] for _ in range(3)]
    server.graphql('mutation { deleteTask(input: {name: "t"}) { deletedId } }')
    server.create("t", ARRAY)
    for index in range(5):
        server.submit("t", "p", "DONE", index=index)

    assert await error_of(server, EVENTS, task="t", after=old[1]) == "CURSOR_INVALID"
    async with open_sse(
        server.url, EVENTS, task="t", after=BEGINNING, last_event_id=old[1]
    ) as stream:
        message = await anext(stream)
        assert message.data["errors"][0]["extensions"]["code"] == "CURSOR_INVALID"
    async with WebSocketClient(server.url) as wire:
        await wire.subscribe("1", EVENTS, task="t", after=BEGINNING)
        new = [(await wire.receive())["payload"]["data"]["events"]["cursor"] for _ in range(5)]
    assert not set(old) & set(new)


async def test_a_cursor_from_beyond_the_last_event_is_refused(server: Server) -> None:
    """Nobody received it: it was forged, or the database was restored from a backup."""
    server.create("t", ARRAY)
    server.submit("t", "p", "STARTED", index=0)
    edges = server.graphql('{ task(name: "t") { events(first: 1) { edges { cursor } } } }')
    parts = decode_opaque(edges["task"]["events"]["edges"][0]["cursor"])
    assert parts is not None
    parts[-1] += 1
    assert await error_of(server, EVENTS, task="t", after=encode_opaque(*parts)) == "CURSOR_INVALID"


@pytest.fixture
def refusing(sqlite_server: Server) -> Server:
    """A server with a task of an array and a solitary process."""
    sqlite_server.create("t", ARRAY, {"name": "alone"})
    return sqlite_server


async def test_unknown_names_are_refused(refusing: Server) -> None:
    """Tasks that are watched by name must exist."""
    assert await error_of(refusing, CHANGES, names=["t", "nobody"]) == "TASK_NOT_FOUND"


async def test_no_names_are_no_tasks(refusing: Server) -> None:
    """A subscription to no tasks at all completes at once."""
    async with WebSocketClient(refusing.url) as ws:
        await ws.subscribe("1", CHANGES, names=[])
        assert await ws.receive() == {"id": "1", "type": "complete"}


async def test_subscriptions_complete_when_their_task_is_deleted(server: Server) -> None:
    """Both kinds of subscription complete when their task is deleted."""
    server.create("t", ARRAY)

    async with WebSocketClient(server.url) as ws:
        await ws.subscribe("events", EVENTS, task="t")
        await ws.subscribe("changes", CHANGES, names=["t"])
        assert (await ws.receive())["id"] == "changes"
        delete = 'mutation { deleteTask(input: {name: "t"}) { deletedId } }'
        await asyncio.to_thread(server.graphql, delete)
        ends = [await ws.receive() for _ in range(2)]
        assert [end["type"] for end in ends] == ["complete", "complete"]


async def test_changes_are_gathered_and_end_with_the_last_state(server: Server) -> None:
    """At most a few snapshots a second come, and the last one has the final state."""
    jobs = 400
    server.create("t", {"name": "p", "jobCount": jobs})

    def many(indices: range) -> None:
        for index in indices:
            server.submit("t", "p", "DONE", index=index)

    async with WebSocketClient(server.url) as ws:
        await ws.subscribe("1", CHANGES, names=["t"])
        first = (await ws.receive())["payload"]["data"]["taskChanged"]
        assert (first["state"], first["counts"]["done"]) == ("PENDING", 0)
        begin = time.monotonic()
        sending = asyncio.gather(
            *(asyncio.to_thread(many, range(part, jobs, 4)) for part in range(4))
        )
        snapshots: list[Any] = []
        while not snapshots or snapshots[-1]["state"] != "SUCCEEDED":
            snapshots.append((await ws.receive())["payload"]["data"]["taskChanged"])
        took = time.monotonic() - begin
        await sending
    done = [snapshot["counts"]["done"] for snapshot in snapshots]
    assert done == sorted(done)
    assert len(snapshots) <= 2 + took / 0.25
    # The nested levels are as fresh as the task, or fresher.
    assert done[-1] == jobs
    [process] = snapshots[-1]["processes"]["nodes"]
    assert process == {"name": "p", "state": "SUCCEEDED", "progress": {"ratio": 1.0}}


async def test_edits_and_new_processes_are_changes(server: Server) -> None:
    """Edits and new processes are sent as changes."""
    server.create("t", ARRAY)

    async with WebSocketClient(server.url) as ws:
        await ws.subscribe("1", CHANGES, names=["t"])
        await ws.receive()
        edit = 'mutation { updateTask(input: {name: "t", comment: "new"}) { task { id } } }'
        await asyncio.to_thread(server.graphql, edit)
        task = (await ws.receive())["payload"]["data"]["taskChanged"]
        assert task["comment"] == "new"
        add = """mutation { addProcesses(input: {task: "t", processes: [{name: "q"}]}) {
          task { id } } }"""
        await asyncio.to_thread(server.graphql, add)
        task = (await ws.receive())["payload"]["data"]["taskChanged"]
        assert [node["name"] for node in task["processes"]["nodes"]] == ["p", "q"]


async def test_tasks_that_begin_or_stop_matching_are_sent(
    server: Server,
) -> None:
    """The filter is evaluated anew with every change."""
    server.create("old", {"name": "p", "jobCount": 1})
    server.submit("old", "p", "STARTED", index=0)

    async with WebSocketClient(server.url) as ws:
        await ws.subscribe("1", CHANGES, filter={"states": ["RUNNING"]})
        changes = TaskChanges(ws)

        def comment(number: int) -> tuple[str, str]:
            server.comment("old", f"edit {number}")
            return "old", f"edit {number}"

        await changes.until_they_come(comment)
        await asyncio.to_thread(server.create, "new", {"name": "p", "jobCount": 1})
        await submit(server, 0, "STARTED", task="new")
        task = await changes.next()
        assert (task["name"], task["state"]) == ("new", "RUNNING")
        for name in ("old", "new"):
            await submit(server, 0, "DONE", task=name)
            task = await changes.next()
            assert (task["name"], task["state"]) == (name, "SUCCEEDED")
        await submit(server, 0, "BEAT", task="old")
        await submit(server, 0, "STARTED", task="new")
        task = await changes.next()
        assert (task["name"], task["state"]) == ("new", "RUNNING")


async def test_duplicates_and_refused_events_push_nothing(server: Server) -> None:
    """Only events that are newly stored are sent."""
    server.create("t", ARRAY)
    uuid = "6f2d58a2-6a4e-4d19-8d3c-0d6f0e8b0001"

    async with WebSocketClient(server.url) as ws:
        await ws.subscribe("1", EVENTS, task="t")
        await until_events_come(server, ws)
        for _ in range(3):
            await asyncio.to_thread(server.submit, "t", "p", "DONE", index=1, id=uuid)
            await asyncio.to_thread(server.try_submit, "t", "p", "DONE", index=99)
        await submit(server, 2)
        indices = [
            (await ws.receive())["payload"]["data"]["events"]["node"]["job"]["index"]
            for _ in range(2)
        ]
        assert indices == [1, 2]

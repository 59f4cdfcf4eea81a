"""GraphQL over server-sent events."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

import httpx

from tests.support.harness import Server
from tests.support.live_clients import BEGINNING, CHANGES, EVENTS, open_sse

STREAM = {"accept": "text/event-stream"}


def test_a_query_is_one_message_and_the_end(sqlite_server: Server) -> None:
    """Every operation can be answered by a stream; by GET, all but mutations."""
    query = "{ server { version } }"
    answer = sqlite_server.request(query, headers=STREAM)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache"
    comment, following, end, _ = answer.text.split("\n\n")
    assert comment == ":"
    event, data = following.split("\n")
    assert event == "event: next"
    assert json.loads(data.removeprefix("data: "))["data"]["server"]
    assert end == "event: complete\ndata:"

    assert (
        sqlite_server.get("/graphql", params={"query": query}, headers=STREAM).text == answer.text
    )
    mutation = "mutation { deleteTasks(input: {names: []}) { deleted } }"
    refused = sqlite_server.get("/graphql", params={"query": mutation}, headers=STREAM)
    assert '"errors"' in refused.text
    assert '"data":{' not in refused.text


def test_errors_come_in_the_stream_and_bad_requests_do_not(sqlite_server: Server) -> None:
    """Errors of an operation are a message of the stream; an invalid request is a status."""
    answer = sqlite_server.request("{ nothing }", headers=STREAM)
    assert answer.status_code == 200
    assert "GRAPHQL_VALIDATION_FAILED" in answer.text
    assert answer.text.endswith("event: complete\ndata:\n\n")

    bad = sqlite_server.post("/graphql", content=b"no JSON", headers=STREAM)
    assert bad.status_code == 415
    bad = sqlite_server.post("/graphql", json=[], headers=STREAM)
    assert (bad.status_code, bad.headers["content-type"]) == (400, "application/json")


def test_a_subscription_that_is_not_asked_for_as_a_stream_says_how(sqlite_server: Server) -> None:
    """A subscription without Accept: text/event-stream is answered 406 with a hint."""
    answer = sqlite_server.request('subscription { events(task: "t") { cursor } }')
    assert answer.status_code == 406
    error = answer.json()["errors"][0]
    assert error["extensions"]["code"] == "NOT_ACCEPTABLE"
    assert "text/event-stream" in error["message"]


async def test_messages_carry_the_cursor_as_their_id(server: Server) -> None:
    """The message id is the cursor, even if the cursor is not selected."""
    server.create("t", {"name": "p", "jobCount": 5})
    for index in range(3):
        server.submit("t", "p", "DONE", index=index)

    query = EVENTS.replace("cursor node", "node")
    async with open_sse(server.url, query, task="t", after=BEGINNING) as stream:
        first = [await anext(stream) for _ in range(2)]
    assert all(message.id for message in first)
    async with open_sse(server.url, query, task="t", last_event_id=first[0].id) as stream:
        again = [await anext(stream) for _ in range(2)]
    assert again[0] == first[1]
    node = again[1].data["data"]["events"]["node"]
    assert node["job"] == {"index": 2}


async def test_changes_come_without_an_id(sqlite_server: Server) -> None:
    """Snapshots have no id: a subscription begins with the current one."""
    sqlite_server.create("t", {"name": "p"})

    async with open_sse(sqlite_server.url, CHANGES, names=["t"]) as stream:
        message = await anext(stream)
        assert (message.event, message.id) == ("next", None)
        delete = 'mutation { deleteTask(input: {name: "t"}) { deletedId } }'
        await asyncio.to_thread(sqlite_server.graphql, delete)
        assert (await anext(stream)).event == "complete"
        assert [m async for m in stream] == []


async def test_a_client_that_disconnects_causes_no_log_entry(sqlite_server: Server) -> None:
    """A client that disconnects during a stream causes no log entry."""
    sqlite_server.create("t", {"name": "p", "jobCount": 50})

    for _ in range(5):
        async with open_sse(sqlite_server.url, CHANGES, names=["t"]) as stream:
            await anext(stream)
    async with httpx.AsyncClient(verify=False) as client:
        for _ in range(5):
            request = client.post(
                f"{sqlite_server.url}/graphql",
                json={"query": EVENTS, "variables": {"task": "t"}},
                headers=STREAM,
                timeout=0.05,
            )
            with suppress(httpx.TimeoutException):
                await request
    sqlite_server.submit("t", "p", "DONE", index=1)
    assert sqlite_server.complaints() == ""

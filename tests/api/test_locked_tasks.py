"""Somebody else locks the row of a task."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator

import psycopg
import pytest

from tests.api.test_database_faults import EDIT, TIMEOUT_S, code, count, submit
from tests.support.harness import Server, StartServer


@pytest.fixture
def server(start_server: StartServer, postgres_url: str) -> Server:
    """A server with three tasks."""
    server = start_server(postgres_url, database_timeout=TIMEOUT_S)
    for name in ("locked", "t", "other"):
        server.create(name, {"name": "p", "jobCount": 100})
    return server


@pytest.fixture
def lock(postgres_url: str, server: Server) -> Iterator[psycopg.Connection]:
    """A transaction that has locked one of them."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute("SELECT * FROM task WHERE name = 'locked' FOR UPDATE")
        yield connection
        connection.rollback()


async def test_the_others_go_ahead(server: Server, lock: psycopg.Connection) -> None:
    """Events of other tasks are stored while those of the locked one wait, and time out."""
    mine = str(uuid.uuid4())
    waiting = asyncio.create_task(asyncio.to_thread(submit, server, task="locked", id=mine))
    # Edits of the locked task occupy neither the recorder nor the edits of others.
    edit = {"input": {"name": "locked", "comment": "x"}}
    edits = [asyncio.create_task(asyncio.to_thread(server.request, EDIT, edit)) for _ in range(3)]
    for _ in range(5):
        for task in ("t", "other"):
            status, _ = await asyncio.to_thread(submit, server, task=task)
            assert status == 200
    done = await asyncio.to_thread(server.graphql, EDIT, input={"name": "t", "comment": "y"})
    assert done["updateTask"]["task"]
    # More of them than can wait for the lock at once.
    edits += [asyncio.create_task(asyncio.to_thread(server.request, EDIT, edit)) for _ in range(4)]
    assert not waiting.done()
    status, body = await waiting
    assert (status, code(body)) == (503, "BUSY")
    assert "Nothing was" in body["errors"][0]["message"]
    for answer in await asyncio.gather(*edits):
        assert (answer.status_code, code(answer.json())) == (503, "BUSY")
    lock.rollback()
    status, body = await asyncio.to_thread(submit, server, task="locked", id=mine)
    assert (status, body["data"]["submitEvent"]["duplicate"]) == (200, False)
    await asyncio.to_thread(server.check_counters)


def test_a_request_with_events_of_a_locked_and_of_another_task(
    server: Server, lock: psycopg.Connection
) -> None:
    """It is answered as a whole. Sent again, every event is there once."""
    events = [
        {
            "task": task,
            "process": "p",
            "index": 0,
            "eventClass": "BEAT",
            "id": str(uuid.uuid4()),
        }
        for task in ("t", "locked", "nobody", "t")
    ]
    query = """mutation($input: SubmitEventsInput!) { submitEvents(input: $input) {
      results { duplicate userErrors { code } } } }"""
    answer = server.request(query, {"input": {"events": events}}, timeout=20)
    # A part of it is stored, so it would be wrong to say that nothing was.
    assert (answer.status_code, code(answer.json())) == (503, "OUTCOME_UNKNOWN")
    assert count(server) == 2
    lock.rollback()
    results = server.graphql(query, input={"events": events})["submitEvents"]["results"]
    assert [result["duplicate"] for result in results] == [True, False, False, True]
    assert results[2]["userErrors"] == [{"code": "TASK_NOT_FOUND"}]
    assert count(server) == 2
    server.check_counters()


def test_a_name_that_does_not_exist_is_not_taken_for_locked(
    server: Server, lock: psycopg.Connection
) -> None:
    """Also while another task is locked."""
    payload = server.try_submit("nobody", "p", "BEAT")
    assert [error["code"] for error in payload["userErrors"]] == ["TASK_NOT_FOUND"]

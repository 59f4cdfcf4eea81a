"""PostgreSQL fails in the middle of a write: every request is answered in time, and truthfully."""

from __future__ import annotations

import asyncio
import os
import socket
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection

from lamia_gql.commands.server_client import ServerClient, ServerUnavailableError
from lamia_gql.domain.settings import load
from lamia_gql.storage.database import Database
from tests.support.database_proxy import DatabaseProxy, Fault
from tests.support.harness import SUBMIT_EVENT, Server, StartServer, rest_errors
from tests.support.live_clients import (
    CHANGES,
    COMMENTS,
    EVENTS,
    TaskChanges,
    WebSocketClient,
    until_events_come,
)
from tests.support.waiting import until, until_async

TIMEOUT_S = 3.0
"""The setting ``database_timeout`` of the servers here."""
MARGIN_S = 6.0
"""How much later than after that time an answer may come: on a slow machine, all takes longer."""
EDIT = """mutation($input: UpdateTaskInput!) { updateTask(input: $input) {
  task { name } userErrors { code } } }"""
COUNT = '{ task(name: "t") { events(first: 1) { totalCount } } }'
INSERT = b"INSERT INTO event"
UPDATE = b"UPDATE task"


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[DatabaseProxy]:
    """A proxy in front of a fresh database."""
    with DatabaseProxy(postgres_url) as proxy:
        yield proxy


@pytest.fixture
def server(start_server: StartServer, proxy: DatabaseProxy) -> Server:
    """A server that reaches its database through the proxy, with a task."""
    server = start_server(proxy.url, database_timeout=TIMEOUT_S)
    server.create("t", {"name": "p", "jobCount": 1000})
    return server


def submit(server: Server, **fields: Any) -> tuple[int, Any]:
    """The status and the body of the answer to an event, which must come in time."""
    event = {"task": "t", "process": "p", "index": 0, "eventClass": "BEAT", **fields}
    response = server.request(SUBMIT_EVENT, {"input": event}, timeout=TIMEOUT_S + MARGIN_S)
    return response.status_code, response.json()


def code(body: Any) -> str:
    """The code of the one error in an answer."""
    [error] = body["errors"]
    found: str = error["extensions"]["code"]
    return found


def until_it_is_taken(server: Server, event_id: str) -> bool:
    """Send an event until it is accepted; whether it was stored before that."""
    bodies: list[Any] = []

    def is_taken() -> bool:
        status, body = submit(server, id=event_id)
        bodies.append(body)
        return status == 200

    until(is_taken, lambda: bodies)
    duplicate: bool = bodies[-1]["data"]["submitEvent"]["duplicate"]
    return duplicate


def count(server: Server) -> int:
    """How many events the task has."""
    found: int = server.graphql(COUNT)["task"]["events"]["totalCount"]
    return found


async def test_a_commit_whose_answer_is_lost(server: Server, proxy: DatabaseProxy) -> None:
    """The server finds out what became of the event; subscribers get it all the same."""
    async with WebSocketClient(server.url) as events, WebSocketClient(server.url) as changes:
        await events.subscribe("1", EVENTS, task="t")
        await changes.subscribe("1", CHANGES, filter={"names": ["t"]})
        await until_events_come(server, events)
        snapshots = TaskChanges(changes)

        def comment(number: int) -> tuple[str, str]:
            server.comment("t", f"edit {number}")
            return "t", f"edit {number}"

        await snapshots.until_they_come(comment)
        proxy.fail(Fault.CUT_AFTER, after=INSERT)
        mine = str(uuid.uuid4())
        status, body = await asyncio.to_thread(submit, server, id=mine, eventClass="DONE")
        assert (status, body["data"]["submitEvent"]["duplicate"]) == (200, False)
        assert proxy.failed.is_set()
        received = (await events.receive())["payload"]["data"]["events"]["node"]
        assert (received["uuid"], received["eventClass"]) == (mine, "DONE")
        while (await snapshots.next())["counts"]["done"] != 1:
            pass
    assert await asyncio.to_thread(until_it_is_taken, server, mine)
    server.check_counters()


def test_a_commit_that_does_not_arrive(server: Server, proxy: DatabaseProxy) -> None:
    """For the server it is the same. An edit is not repeated: its outcome remains unknown."""
    proxy.fail(Fault.CUT_BEFORE, after=INSERT)
    mine = {"id": str(uuid.uuid4()), "eventClass": "BEAT"}
    by_rest = server.rest("POST", "/t/p/event?arrayIndex=0", mine)
    assert (by_rest.status_code, by_rest.json()["created"]) == (201, True)
    assert proxy.failed.is_set()
    proxy.fail(Fault.CUT_BEFORE, after=b"UPDATE task")
    edit = server.rest("PUT", "/t", {"comment": "x"})
    assert edit.status_code == 503
    assert rest_errors(edit) == [("OUTCOME_UNKNOWN", None)]
    assert count(server) == 1
    server.check_counters()


def test_clients_send_again_or_say_that_the_outcome_is_unknown(
    server: Server, proxy: DatabaseProxy
) -> None:
    """Our own client sends events again by itself, but does not repeat a creation."""
    with ServerClient(server.url) as client:
        proxy.fail(Fault.CUT_AFTER, after=INSERT)
        mine = {"id": str(uuid.uuid4()), "task": "t", "process": "p", "index": 0}
        assert client.submit([mine | {"eventClass": "BEAT"}]) == [False]
        assert count(server) == 1
        proxy.fail(Fault.CUT_AFTER, after=b"INSERT INTO task")
        with pytest.raises(ServerUnavailableError, match=r"503\..*may or may not have been stored"):
            client.create_task({"name": "new", "processes": [{"name": "p"}]})
    assert server.graphql('{ task(name: "new") { name } }')["task"]


def test_a_connection_that_breaks_before_the_commit(server: Server, proxy: DatabaseProxy) -> None:
    """Nothing was stored for certain, so events and edits are written again."""
    proxy.fail(Fault.CUT_BEFORE, at=INSERT)
    status, body = submit(server)
    assert (status, body["data"]["submitEvent"]["duplicate"]) == (200, False)
    assert proxy.failed.is_set()
    proxy.fail(Fault.CUT_BEFORE, at=b"UPDATE task")
    assert server.rest("PUT", "/t", {"comment": "x"}).status_code == 200
    assert proxy.failed.is_set()
    assert count(server) == 1
    server.check_counters()


@pytest.mark.parametrize(
    ("fault", "at", "expected", "stored"),
    [
        (Fault.SILENT_BEFORE, INSERT, "STORAGE_FAILED", False),
        (Fault.SILENT_BEFORE, b"COMMIT", "OUTCOME_UNKNOWN", False),
        (Fault.SILENT_AFTER, b"COMMIT", "OUTCOME_UNKNOWN", True),
    ],
)
def test_a_connection_that_goes_dead_in_a_write(
    server: Server, proxy: DatabaseProxy, fault: Fault, at: bytes, expected: str, stored: bool
) -> None:
    """Nobody tells the server. It answers in time, and goes on with another connection."""
    proxy.fail(fault, at=at, after=INSERT)
    mine = str(uuid.uuid4())
    status, body = submit(server, id=mine)
    assert proxy.failed.is_set()
    assert (status, code(body)) == (503, expected)
    assert until_it_is_taken(server, mine) == stored
    assert count(server) == 1
    server.check_counters()


async def test_a_commit_of_an_event_that_arrives_late(server: Server, proxy: DatabaseProxy) -> None:
    """It is shown when it is made, and found by the server, which tries again meanwhile."""
    async with WebSocketClient(server.url) as events:
        await events.subscribe("1", EVENTS, task="t")
        await until_events_come(server, events)
        known = count(server)
        proxy.fail(Fault.CUT_AND_HOLD, after=INSERT)
        mine = str(uuid.uuid4())
        sending = asyncio.create_task(asyncio.to_thread(submit, server, id=mine, eventClass="DONE"))
        await until_async(proxy.failed.is_set, "a commit that is held")
        await others_go_ahead(server)
        proxy.release()
        status, body = await sending
        assert (status, body["data"]["submitEvent"]["duplicate"]) == (200, False)
        received = (await events.receive())["payload"]["data"]["events"]["node"]
        assert (received["uuid"], received["eventClass"]) == (mine, "DONE")
        assert count(server) == known + 1


async def test_a_commit_of_a_change_that_arrives_late(server: Server, proxy: DatabaseProxy) -> None:
    """It is shown when it is made, though the server has looked for it before that in vain."""
    async with WebSocketClient(server.url) as changes:
        await changes.subscribe("1", COMMENTS)
        assert (await changes.receive())["payload"]["data"] == {"taskChanged": {"comment": None}}
        proxy.fail(Fault.CUT_AND_HOLD, after=UPDATE)
        edit = {"input": {"name": "t", "comment": "late"}}
        answer = await asyncio.to_thread(server.request, EDIT, edit, timeout=20)
        assert (answer.status_code, code(answer.json())) == (503, "OUTCOME_UNKNOWN")
        await others_go_ahead(server)
        proxy.release()
        comment = None
        while comment is None:
            comment = (await changes.receive())["payload"]["data"]["taskChanged"]["comment"]
        assert comment == "late"


async def others_go_ahead(server: Server) -> None:
    """A held transaction keeps the lock of its task, so another task shows that all goes on."""
    await asyncio.to_thread(server.create, "other", {"name": "p"})
    await asyncio.to_thread(server.submit, "other", "p", "BEAT")


async def test_what_is_committed_on_a_dead_connection_is_shown(
    server: Server, proxy: DatabaseProxy
) -> None:
    """Also a commit of which the server never hears comes to its subscribers."""
    async with WebSocketClient(server.url) as events:
        await events.subscribe("1", EVENTS, task="t")
        await until_events_come(server, events)
        proxy.fail(Fault.SILENT_AFTER, after=INSERT)
        mine = str(uuid.uuid4())
        status, body = await asyncio.to_thread(submit, server, id=mine, eventClass="DONE")
        assert (status, code(body)) == (503, "OUTCOME_UNKNOWN")
        received = (await events.receive())["payload"]["data"]["events"]["node"]
        assert (received["uuid"], received["eventClass"]) == (mine, "DONE")


def test_connections_that_went_dead_while_idle(server: Server, proxy: DatabaseProxy) -> None:
    """They are noticed before they are used; events and edits are stored by new ones."""
    server.submit("t", "p", "STARTED", index=0)
    for _ in range(2):
        proxy.silence()
        mine = str(uuid.uuid4())
        until_it_is_taken(server, mine)
        edit = server.request(EDIT, {"input": {"name": "t", "comment": mine}}, timeout=20)
        assert edit.status_code in (200, 503)
    until(lambda: server.get("/readyz", timeout=20).status_code == 200, "ready again")
    server.check_counters()


def test_a_database_that_freezes_and_thaws(server: Server, proxy: DatabaseProxy) -> None:
    """Whatever is sent meanwhile is answered in time; after it, all works as before."""
    proxy.freeze()
    mine = [str(uuid.uuid4()) for _ in range(8)]
    with ThreadPoolExecutor(len(mine)) as clients:
        # The first of them occupies the database; the others wait behind it.
        answers = list(clients.map(lambda event_id: submit(server, id=event_id), mine))
    for status, body in answers:
        assert status == 503
        assert code(body) in ("STORAGE_FAILED", "BUSY")
    edit = server.request(
        EDIT, {"input": {"name": "t", "comment": "x"}}, timeout=TIMEOUT_S + MARGIN_S
    )
    assert edit.status_code == 503
    proxy.thaw()
    assert not any(until_it_is_taken(server, event_id) for event_id in mine)
    assert count(server) == len(mine)
    assert server.graphql(EDIT, input={"name": "t", "comment": "y"})["updateTask"]["task"]
    until(lambda: server.get("/readyz", timeout=20).status_code == 200, "ready again")
    server.check_counters()


def test_the_system_notices_dead_connections(proxy: DatabaseProxy) -> None:
    """All connections have keepalives, and a limit for what is not acknowledged."""
    database = Database(load(database_url=proxy.url, database_timeout=7))

    def options(connection: Connection) -> list[int]:
        driver: Any = connection.connection.driver_connection
        with socket.socket(fileno=os.dup(driver.pgconn.socket)) as found:
            return [
                found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                found.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
                found.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
            ]

    assert database.read_blocking(options) == [1, 2, 7000]
    assert database.write_blocking(lambda t: options(t.connection)) == [1, 2, 7000]
    database.close()

"""Operations over the time limit are answered by an error, and end in the database, too."""

from __future__ import annotations

import time
from contextlib import closing
from functools import partial

import httpx
import psycopg

from tests.support.harness import Server, StartServer, rest_errors
from tests.support.metrics import scrape
from tests.support.raw_sockets import open_stream
from tests.support.waiting import until

SOON = 10.0
"""Seconds by which on any machine all has long happened."""
# The purger, which looks for deleted tasks at the start, may wait: it has no time limit.
WAITING = """SELECT count(*) FROM pg_stat_activity
  WHERE datname = current_database() AND wait_event_type = 'Lock'
  AND query NOT LIKE '%deleted_at IS NOT NULL%'"""
"""The number of statements that wait for a lock."""


def is_idle(server: Server) -> bool:
    """Whether no operation has a connection to the database."""
    return scrape(server).sum("lamia_database_readers", state="running") == 0


def test_time_limit_over_the_wire(start_server: StartServer, database_url: str) -> None:
    """A query over the time limit is answered by one error; the next one is served."""
    server = start_server(database_url, max_operation_time=0.000_001)
    for _ in range(20):
        answer = server.request("{ tasks(first: 1) { nodes { tags } } }")
        assert answer.status_code == 400, answer.text
        body = answer.json()
        assert "data" not in body
        (error,) = body["errors"]
        assert error["extensions"] == {"code": "TIMED_OUT", "limit": 0.000_001}
        until(partial(is_idle, server), "its connection is free again")
    until(lambda: server.get("/readyz").status_code == 200, "ready")
    assert "never retrieved" not in server.log()
    assert "Traceback" not in server.log()


def test_time_limit_of_a_mutation(start_server: StartServer, database_url: str) -> None:
    """What a mutation wrote is stored, whatever the time limit: only reading it back is refused."""
    server = start_server(database_url, max_operation_time=0.000_001)
    body = server.request(
        """mutation { createTask(input: { name: "t", processes: [{ name: "p" }] }) {
          task { name tags } userErrors { code } } }"""
    ).json()
    assert body["data"]["createTask"] == {"task": None, "userErrors": []}
    assert {error["extensions"]["code"] for error in body["errors"]} == {"TIMED_OUT"}
    refused = server.try_create("t", {"name": "p"})
    assert [error["code"] for error in refused["userErrors"]] == ["NAME_TAKEN"]


def test_time_limit_frees_the_connection(start_server: StartServer, postgres_url: str) -> None:
    """A query that waits for a lock is answered in time, and cancelled in the database."""
    server = start_server(postgres_url, max_operation_time=0.5, database_connections=1)
    query = "{ tasks(first: 1) { totalCount nodes { id } } }"
    with psycopg.connect(postgres_url) as other:
        other.execute("LOCK TABLE task IN ACCESS EXCLUSIVE MODE")
        for _ in range(3):
            begin = time.monotonic()
            assert server.graphql_error(query)["extensions"]["code"] == "TIMED_OUT"
            assert time.monotonic() - begin < SOON
        until(lambda: other.execute(WAITING).fetchone() == (0,), "the statement still waits", SOON)
    found = {"tasks": {"totalCount": 0, "nodes": []}}
    until(lambda: server.request(query).json().get("data") == found, "GraphQL reads again")
    assert "Traceback" not in server.log()


def test_time_limit_of_rest(start_server: StartServer, postgres_url: str) -> None:
    """A read over REST ends after the same time, in the database as well."""
    server = start_server(postgres_url, max_operation_time=0.5, database_connections=1)
    server.create("t", {"name": "p"})
    with psycopg.connect(postgres_url) as other:
        other.execute("LOCK TABLE task IN ACCESS EXCLUSIVE MODE")
        for path in ("", "/t", "/t/@all", "/t/p", "/t/p/event"):
            begin = time.monotonic()
            answer = server.rest("GET", path)
            assert (answer.status_code, rest_errors(answer)) == (503, [("TIMED_OUT", None)])
            assert time.monotonic() - begin < SOON
    until(lambda: server.rest("GET", "/t/p").status_code == 200, "REST reads again")
    assert "Traceback" not in server.log()


def test_waiting_for_a_connection_is_no_slow_operation(
    start_server: StartServer, postgres_url: str
) -> None:
    """Who gets no connection within the time limit is told that the server is busy."""
    server = start_server(postgres_url, max_operation_time=0.5, database_connections=1)
    with psycopg.connect(postgres_url) as other:
        other.execute("LOCK TABLE task IN ACCESS EXCLUSIVE MODE")
        # A subscription has no time limit: it keeps the only connection.
        with closing(
            open_stream(
                server.url, "subscription { taskChanged(filter: {states: [RUNNING]}) { name } }"
            )
        ):

            def ask() -> httpx.Response | None:
                answer = server.request("{ tasks(first: 1) { totalCount } }")
                return answer if '"BUSY"' in answer.text else None

            # Other reads of the server wait for the lock, too, so those that wait tell nothing.
            answer = until(ask, "the subscription does not keep the connection", SOON)
            assert answer is not None
            rest = server.rest("GET")
        [error] = answer.json()["errors"]
        assert (answer.status_code, error["extensions"]["code"]) == (503, "BUSY")
        assert (rest.status_code, rest_errors(rest)) == (503, [("BUSY", None)])

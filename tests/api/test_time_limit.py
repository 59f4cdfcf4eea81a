"""Operations over the time limit are answered by an error, and end in the database, too."""

from __future__ import annotations

import time

import psycopg

from tests.support.harness import StartServer
from tests.support.waiting import until

SOON = 10.0
"""Seconds by which on any machine all has long happened."""


def test_time_limit_over_the_wire(start_server: StartServer, database_url: str) -> None:
    """A query over the time limit is answered by one error; the next one is served."""
    server = start_server(database_url, max_operation_time=0.000_001, database_connections=1)
    for _ in range(20):
        answer = server.request("{ tasks(first: 1) { nodes { tags } } }")
        assert answer.status_code == 400
        body = answer.json()
        assert "data" not in body
        (error,) = body["errors"]
        assert error["extensions"] == {"code": "TIMED_OUT", "limit": 0.000_001}
    assert server.get("/readyz").status_code == 200
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
        # The purger, which looks for deleted tasks at the start, may wait: it has no time limit.
        waiting = """SELECT count(*) FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock'
          AND query NOT LIKE '%deleted_at IS NOT NULL%'"""
        until(lambda: other.execute(waiting).fetchone() == (0,), "the statement still waits", SOON)
    assert server.graphql(query) == {"tasks": {"totalCount": 0, "nodes": []}}
    assert "Traceback" not in server.log()

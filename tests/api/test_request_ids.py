"""Every request has an id: in its answer, and in every line that the log has about it."""

from __future__ import annotations

import json
import logging
import re
import resource
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from lamia_gql.api.audit import AUDIT_LOG
from lamia_gql.api.current_request import CurrentRequest, current_request
from lamia_gql.server.log_format import FORMATTERS
from lamia_gql.server.log_handler import CondensingHandler
from tests.support.harness import CREATE_TASK, Server, StartServer
from tests.support.live_clients import WebSocketClient

HEADER = "x-request-id"
TASK = {"input": {"name": "t", "config": "c" * 100_000, "processes": [{"name": "p"}]}}
NAMED = CREATE_TASK.replace("mutation", "mutation CreateTask", 1)


def fill_the_disk(server: Server) -> None:
    """Let no file of the server become larger than that of its database, as the log is not."""
    server.create("first", {"name": "p"}, config="c" * 100_000)
    wal = Path(server.database_url.removeprefix("sqlite:///") + "-wal")
    limit = wal.stat().st_size
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


def test_ids(sqlite_server: Server) -> None:
    """The client's own if it is short and safe, else a new one; for any answer."""

    def answered(path: str, given: str | None = None) -> str:
        headers = {} if given is None else {HEADER: given}
        return str(sqlite_server.get(path, headers=headers).headers[HEADER])

    paths = ["/healthz", "/api/v0/unknown", "/graphql", "/", "/nowhere", "/metrics"]
    made = [answered(path) for path in paths]
    assert len(set(made)) == len(paths)
    assert all(re.fullmatch(r"[0-9a-f]{10}-\d+", one) for one in made)
    assert answered("/graphql", "job-7.restart:2_a") == "job-7.restart:2_a"
    for unsafe in ("", "a b", "x" * 65, 'a"b', "a\tb", "(a)"):
        assert answered("/healthz", unsafe) not in ("", unsafe)
    refused = sqlite_server.get("/healthz", headers={"host": "foreign.example", HEADER: "mine"})
    assert (refused.status_code, refused.headers[HEADER]) == (421, "mine")


async def test_lines_for_programs(start_server: StartServer, sqlite_url: str) -> None:
    """Each is a JSON object, with the id and operation of its request; by HTTP and WebSocket."""
    server = start_server(sqlite_url, log_format="json", log_level="info")
    fill_the_disk(server)
    headers = {HEADER: "by-http"}
    assert server.request(NAMED, TASK, headers=headers).status_code == 503
    async with WebSocketClient(server.url, additional_headers={HEADER: "by-ws"}) as ws:
        assert ws.socket.response is not None
        assert ws.socket.response.headers[HEADER] == "by-ws"
        await ws.subscribe("1", NAMED, **TASK)
        assert (await ws.receive())["type"] == "next"
    server.stop()
    lines: list[dict[str, Any]] = [json.loads(line) for line in server.log().splitlines()]
    assert all(line.keys() >= {"time", "level", "logger", "message", "process"} for line in lines)
    assert f"serves GraphQL on {server.url}/graphql" in lines[0]["message"]
    failed = next(line for line in lines if "traceback" in line)
    assert failed["request"] == "by-http"
    assert failed["operation"] == "CreateTask"
    assert failed["error"] == "OperationalError"
    answered = next(line for line in lines if line.get("status") == 503)
    assert (answered["request"], answered["level"]) == ("by-http", "info")
    assert 0 < answered["seconds"] < 30
    # The second failure repeats the first.
    assert any(
        "the database failed" in line["message"] and "1 more" in line["message"] for line in lines
    )


async def test_lines_for_people(start_server: StartServer, sqlite_url: str) -> None:
    """The id stands behind the name of the log; operations of a WebSocket have that of it."""
    server = start_server(sqlite_url, log_level="info")
    fill_the_disk(server)
    async with WebSocketClient(server.url, additional_headers={HEADER: "by-ws"}) as ws:
        await ws.subscribe("1", NAMED, **TASK)
        assert (await ws.receive())["type"] == "next"
    assert server.request(NAMED, TASK, headers={HEADER: "by-http"}).status_code == 503
    server.stop()
    found = re.findall(r"^[\d-]+ [\d:,]+ (.*)$", server.log(), re.MULTILINE)
    assert any(line.startswith("ERROR lamia_gql.storage.database [by-ws]: the ") for line in found)
    assert any(
        re.fullmatch(
            r"INFO lamia_gql\.server\.request_log \[by-http\]: POST /graphql \(CreateTask\) was"
            r" answered 503 after [\d.]+ s",
            line,
        )
        for line in found
    )


def test_a_path_breaks_no_line(start_server: StartServer, sqlite_url: str) -> None:
    """Whatever a client asks for, at the level debug as well."""
    server = start_server(sqlite_url, log_level="debug")
    server.clear_log()
    server.get("/no%0Awhere%1b[31m?token=secret")
    server.stop()
    (line,) = [line for line in server.log().splitlines() if "was answered 404" in line]
    assert "GET /no%0Awhere%1B%5B31m (other) was answered 404" in line
    assert "secret" not in server.log()


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_audit_log(form: str) -> None:
    """No line of it is left out, however often it is repeated; its fields are in the JSON."""
    handler, written = CondensingHandler(3600), StringIO()
    handler.setStream(written)
    handler.setFormatter(FORMATTERS[form]())
    log = logging.Logger(AUDIT_LOG)
    log.addHandler(handler)
    current_request.set(CurrentRequest("r-1"))
    for number in range(3):
        log.info("deleted a task", extra={"task": f"t{number}", "who": "é"})
    handler.close()
    lines = written.getvalue().splitlines()
    assert len(lines) == 3
    if form == "json":
        assert [json.loads(line)["task"] for line in lines] == ["t0", "t1", "t2"]
        assert all('"who": "é"' in line and '"request": "r-1"' in line for line in lines)
    else:
        assert lines[0].endswith("INFO lamia_gql.audit [r-1]: deleted a task")

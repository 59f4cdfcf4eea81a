"""What ``/metrics`` says, after what has happened."""

from __future__ import annotations

import os
import re
import signal
import uuid
from contextlib import closing
from pathlib import Path

import httpx
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamia_gql.domain.access import Role
from lamia_gql.domain.histogram import Histogram
from lamia_gql.graph.stored_operations import load_operation, operation_names
from lamia_gql.rest.routes import OPERATIONS
from tests.support.credentials import SECRET, Credentials, bearer
from tests.support.harness import Server, StartServer
from tests.support.live_clients import CHANGES, WebSocketClient
from tests.support.metrics import Samples, scrape
from tests.support.waiting import until, until_async

DURATION = "lamia_http_request_duration_seconds_count"


class Growth:
    """How much the metrics of a server grow from now on."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._before = scrape(server)

    def __call__(self, name: str, **labels: str) -> float:
        """By how much the sum of these samples has grown."""
        return scrape(self._server).sum(name, **labels) - self._before.sum(name, **labels)


def beat(**fields: object) -> dict[str, object]:
    """An event of the job."""
    return {"task": "t", "process": "p", "eventClass": "BEAT", **fields}


def submit(server: Server, *events: dict[str, object]) -> None:
    """Submit events by the operation of our own clients."""
    answer = server.request(load_operation("submit_events"), {"input": {"events": events}})
    assert answer.status_code == 200, answer.text


def test_events(server: Server) -> None:
    """By class and outcome, with the sizes and times of their transactions."""
    server.create("t", {"name": "p"})
    grown = Growth(server)
    known = str(uuid.uuid4())
    submit(server, beat(id=known), beat(), beat(eventClass="DONE"))
    submit(server, beat(id=known))
    submit(server, beat(task="unknown"), beat(progress=-1))
    assert grown("lamia_events_total", event_class="BEAT", outcome="stored") == 2
    assert grown("lamia_events_total", event_class="DONE", outcome="stored") == 1
    assert grown("lamia_events_total", event_class="BEAT", outcome="duplicate") == 1
    assert grown("lamia_events_total", event_class="BEAT", outcome="refused") == 1
    assert grown("lamia_events_total", outcome="refused") == 2
    assert grown("lamia_event_batch_size_count") == 3
    assert grown("lamia_event_batch_size_sum") == 5
    assert grown("lamia_event_batch_size_bucket", le="1.0") == 2
    assert grown("lamia_database_writes_total", kind="events", outcome="committed") == 3
    for name in ("write_wait", "write_duration", "commit_duration"):
        assert grown(f"lamia_database_{name}_seconds_count", kind="events") == 3
    duration = grown("lamia_database_write_duration_seconds_sum", kind="events")
    assert 0 < grown("lamia_database_commit_duration_seconds_sum", kind="events") < duration
    now = scrape(server)
    assert now.sum("lamia_events_waiting") == 0
    assert now.sum("lamia_events_waiting_max") == 50_000


def test_requests(server: Server) -> None:
    """By operation and status; what clients make up has no label of its own."""
    server.create("t", {"name": "p"})
    submit(server, beat())
    grown = Growth(server)
    submit(server, beat())
    for number in range(3):
        server.request(f"query Mine{number} {{ server {{ version }} }}")
    server.request("{ server { version } }", headers={"accept": "text/event-stream"})
    server.request(
        "query Tasks { nothing }", headers={"accept": "application/graphql-response+json"}
    )
    assert server.rest("GET", "/t").status_code == 200
    assert server.rest("GET", "/unknown").status_code == 404
    assert server.rest("HEAD", "/t").status_code == 200
    assert server.rest("GET", "/t/no/such/address").status_code == 404
    for operation, status, number in (
        ("SubmitEvents", "200", 1),
        ("Tasks", "400", 1),
        ("GET /api/v0/{task}", "200", 2),
        ("GET /api/v0/{task}", "404", 1),
        ("other", "404", 1),
        # The first scrape is one of these.
        ("other", "200", 5),
    ):
        labels = {"operation": operation, "status": status}
        assert grown("lamia_http_requests_total", **labels) >= number, labels
    now = scrape(server)
    known = {"other", *operation_names(), *OPERATIONS}
    assert now.values("lamia_http_requests_total", "operation") <= known
    assert now.values(DURATION, "operation") <= known
    assert grown(DURATION, operation="Tasks") == 1
    assert grown("lamia_graphql_errors_total", code="GRAPHQL_VALIDATION_FAILED") == 1
    assert now.sum("lamia_http_requests_running") == 1


def test_caches(sqlite_server: Server) -> None:
    """Hits and misses of documents and of their plans; what was not planned."""
    grown = Growth(sqlite_server)
    mine = f"query {{ server {{ a{uuid.uuid4().hex}: version }} }}"
    for _ in range(3):
        sqlite_server.graphql(mine)
    assert grown("lamia_cache_lookups_total", cache="documents", result="miss") == 1
    assert grown("lamia_cache_lookups_total", cache="documents", result="hit") >= 2
    planned = grown("lamia_operations_total", execution="planned")
    assert planned + grown("lamia_operations_total", execution="resolved") == 3
    if planned:
        assert grown("lamia_cache_lookups_total", cache="plans", result="miss") == 1
        assert grown("lamia_cache_lookups_total", cache="plans", result="hit") == 2


async def test_live_operations(server: Server) -> None:
    """Those that run are counted, and how they end; on PostgreSQL the lag of notifications, too."""
    server.create("t", {"name": "p"})
    grown = Growth(server)
    watch = CHANGES.replace("subscription", "subscription WatchTask", 1)
    async with WebSocketClient(server.url) as ws:
        await ws.subscribe("1", watch, names=["t"])
        await ws.receive()
        assert grown("lamia_live_connections") == 1
        assert grown("lamia_connections") >= 1
        assert grown("lamia_live_operations") == 1
        assert grown("lamia_shared_operations") == 1
        assert grown("lamia_subscribers", kind="changes") >= 1
        await ws.subscribe("2", "query Mine { server { version } }")
        assert [(await ws.receive())["type"] for _ in range(2)] == ["next", "complete"]
        await ws.subscribe("3", "{ nothing }")
        assert (await ws.receive())["type"] == "error"
        await ws.send({"id": "1", "type": "complete"})
        await until_async(
            lambda: grown("lamia_websocket_operations_total", outcome="cancelled") == 1, "cancelled"
        )
    for operation, outcome in (
        ("WatchTask", "cancelled"),
        ("other", "completed"),
        ("other", "failed"),
    ):
        labels = {"operation": operation, "outcome": outcome}
        assert grown("lamia_websocket_operations_total", **labels) == 1
    await until_async(lambda: grown("lamia_live_connections") == 0, "the connection is closed")
    now = scrape(server)
    if server.database_url.startswith("sqlite"):
        assert "lamia_listener_connected" not in now.names
    else:
        assert now.sum("lamia_listener_connected") == 1

        def is_measured() -> bool:
            # A notification may overtake the end of its own commit.
            server.comment("t", "changed")
            return grown("lamia_listener_lag_seconds_count") >= 1

        await until_async(is_measured, "notified")


def test_refused_and_locked(start_server: StartServer, postgres_url: str) -> None:
    """Events that wait for a lock are shown while they wait, and how long it took afterwards."""
    server = start_server(postgres_url, database_timeout=2)
    server.create("t", {"name": "p"})
    grown = Growth(server)
    with psycopg.connect(postgres_url) as blocker:
        blocker.execute("SELECT 1 FROM task FOR UPDATE")
        answer = server.request(load_operation("submit_events"), {"input": {"events": [beat()]}})
        assert answer.status_code == 503
        assert grown("lamia_events_total", event_class="BEAT", outcome="unavailable") == 1
        assert grown("lamia_http_requests_total", operation="SubmitEvents", status="503") == 1
        assert grown("lamia_graphql_errors_total", code="BUSY") == 1
    until(lambda: scrape(server).sum("lamia_events_waiting", queue="lock") == 0, "given up")
    assert grown("lamia_task_lock_wait_seconds_count") == 1
    assert grown("lamia_task_lock_wait_seconds_sum") > 1
    assert grown("lamia_database_writes_total", kind="events", outcome="busy") >= 1


def test_the_process(sqlite_server: Server) -> None:
    """The process and its event loop."""
    now = scrape(sqlite_server)
    assert now.sum("lamia_worker_up", worker="0") == 1
    assert now.sum("lamia_build_info") == 1
    assert now.sum("process_resident_memory_bytes") > 10_000_000
    assert now.sum("process_open_fds") > 0
    until(lambda: scrape(sqlite_server).sum("lamia_event_loop_delay_seconds_count") > 1, "ticks")


def test_every_metric_is_explained(server: Server) -> None:
    """The page for operators has each metric, and no other."""
    page = (Path(__file__).parents[2] / "docs" / "operation.md").read_text()
    shown = set(re.findall(r"^\| `(lamia_\w+)` \|", page, re.MULTILINE))
    if server.database_url.startswith("sqlite"):
        shown = {name for name in shown if "_listener_" not in name}
    # There are none here: see the tests of replicas.
    shown = {name for name in shown if "_replica_" not in name}
    names = (name for name in scrape(server).names if name.startswith("lamia_"))
    assert shown == {re.sub(r"_(bucket|sum|count)$", "", name) for name in names}


def test_who_may_scrape(start_server: StartServer, sqlite_url: str) -> None:
    """Whoever may read tasks, once there are credentials."""
    with closing(Credentials(sqlite_url)) as credentials:
        reader = credentials.token("prometheus", Role.READ)
        reporter = credentials.token("epilog", Role.REPORT)
        job = credentials.job_token(credentials.add_task("t"))
    server = start_server(sqlite_url, secret_keys=SECRET)
    for token, status, code in (
        (None, 401, "UNAUTHENTICATED"),
        ("garbage", 401, "UNAUTHENTICATED"),
        (reporter, 403, "FORBIDDEN"),
        (job, 403, "FORBIDDEN"),
    ):
        answer = server.get("/metrics", headers=bearer(token))
        assert answer.status_code == status
        assert answer.json()["errors"][0]["extensions"]["code"] == code
        assert ("www-authenticate" in answer.headers) == (status == 401)
    assert server.get("/metrics", headers=bearer(reader)).status_code == 200


def workers_of(server: Server) -> list[int]:
    """The ids of the worker processes of a server."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    return [
        int(child)
        for child in children
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def ask(server: Server) -> Samples:
    """A scrape on a connection of its own, which any worker may get."""
    return Samples(httpx.get(f"{server.url}/metrics", timeout=20).text)


@pytest.mark.slow
def test_several_workers(start_server: StartServer, postgres_url: str) -> None:
    """Each of them answers for all; of one that hangs it says so, and one may be restarted."""
    server = start_server(postgres_url, workers=3)
    numbers = {"0", "1", "2"}
    until(lambda: ask(server).sum("lamia_worker_up") == 3, lambda: ask(server).names)
    before = ask(server)
    for _ in range(30):
        assert httpx.get(f"{server.url}/api/v0/unknown").status_code == 404
    operation = {"operation": "GET /api/v0/{task}", "status": "404"}
    for _ in range(5):
        found = ask(server)
        assert found.values("lamia_build_info", "worker") == numbers
        assert found.sum("lamia_http_requests_total", **operation) == 30
    assert before.sum("process_start_time_seconds") == found.sum("process_start_time_seconds")

    hanging, ended, *_ = workers_of(server)
    os.kill(hanging, signal.SIGSTOP)
    found = ask(server)
    assert found.sum("lamia_worker_up") == 2
    assert len(found.values("lamia_build_info", "worker")) == 2
    os.kill(hanging, signal.SIGCONT)
    os.kill(ended, signal.SIGKILL)
    until(
        lambda: (
            (now := ask(server)).sum("lamia_worker_up") == 3
            and now.sum("process_start_time_seconds") > found.sum("process_start_time_seconds")
        ),
        "the worker is restarted",
    )
    assert ask(server).values("lamia_build_info", "worker") == numbers


@given(st.lists(st.integers(0, 12)))
def test_a_histogram(values: list[int]) -> None:
    """Each bucket has the values up to its bound, and this one."""
    bounds = (1.0, 2.0, 10.0)
    histogram = Histogram(bounds)
    for value in values:
        histogram.add(value)
    expected = [sum(value <= bound for value in values) for bound in bounds]
    assert histogram.cumulated() == [*expected, len(values)]
    assert histogram.sum == sum(values)

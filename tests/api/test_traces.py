"""Traces of requests, as a collector gets them; and servers whose collector is gone."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from lamia_gql import __version__
from lamia_gql.graph.stored_operations import load_operation
from lamia_gql.server.tracing import start_tracing
from tests.support.harness import StartServer
from tests.support.live_clients import CHANGES, WebSocketClient
from tests.support.metrics import scrape
from tests.support.otlp_receiver import OtlpReceiver, ReceivedSpan, run_otlp_receiver
from tests.support.waiting import until, until_async

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
"""An example of the W3C's Trace Context."""
SECRET_TEXT = "a-secret-that-no-trace-has"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[OtlpReceiver]:
    """A collector, to which the servers of the test send their spans soon."""
    with run_otlp_receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        yield receiver


def one(
    collector: OtlpReceiver, name: str, attribute: str = "", value: object = None
) -> ReceivedSpan:
    """The only span with a name, and with the value of an attribute."""

    def found() -> list[ReceivedSpan]:
        spans = collector.named(name)
        return [span for span in spans if span.attributes.get(attribute) == value]

    until(found, lambda: collector.spans)
    (span,) = found()
    return span


def test_requests(
    collector: OtlpReceiver,
    start_server: StartServer,
    sqlite_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each has a span by the conventions, with the commit below it, and in the client's trace."""
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    server = start_server(sqlite_url)
    server.create("t", {"name": "p"})
    event = {"task": "t", "process": "p", "eventClass": "BEAT", "payload": SECRET_TEXT}
    answer = server.request(
        load_operation("submit_events"),
        {"input": {"events": [event] * 3}},
        headers={"traceparent": PARENT, "authorization": f"Bearer {SECRET_TEXT}"},
    )
    assert answer.status_code == 200
    query = f'query Mine {{ task(name: "{SECRET_TEXT}") {{ id }} }}'
    server.get("/graphql", params={"query": query})
    server.request("{ server { version } }", headers={"x-request-id": "mine"})
    server.rest("GET", "/t")
    server.rest("GET", "/t/no/such/address")
    server.get("/healthz")

    submitted = one(collector, "POST /graphql", "graphql.operation.name", "SubmitEvents")
    assert submitted.is_server
    assert not submitted.has_failed
    assert (submitted.trace_id, submitted.parent_id) == tuple(PARENT.split("-")[1:3])
    assert submitted.attributes == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.response.header.x-request-id": [answer.headers["x-request-id"]],
        "http.route": "/graphql",
        "url.scheme": "http",
        "url.path": "/graphql",
        "network.protocol.version": "1.1",
        "graphql.operation.name": "SubmitEvents",
        "graphql.operation.type": "mutation",
    }
    assert submitted.resource["service.name"] == "lamia-gql"
    assert submitted.resource["service.version"] == __version__
    assert submitted.resource["deployment.environment.name"] == "test"
    commit = one(collector, "commit events")
    assert (commit.trace_id, commit.parent_id) == (submitted.trace_id, submitted.span_id)
    assert commit.attributes == {"lamia.commit.events": 3, "lamia.commit.requests": 1}
    assert not commit.is_server

    mine = one(collector, "GET /graphql")
    assert mine.attributes["graphql.operation.type"] == "query"
    assert mine.attributes["graphql.operation.name"] == "Mine"
    unnamed = one(collector, "POST /graphql", "graphql.operation.type", "query")
    assert unnamed.attributes["http.response.header.x-request-id"] == ["mine"]
    assert "graphql.operation.name" not in unnamed.attributes
    shown = one(collector, "GET /api/v0/{task}", "url.path", "/api/v0/t")
    assert shown.attributes["http.route"] == "/api/v0/{task}"
    assert one(collector, "GET").attributes["http.response.status_code"] == 404
    # What is sent last is sent at the end of the server.
    server.rest("GET", "/unknown")
    server.stop()
    assert one(collector, "GET /api/v0/{task}", "url.path", "/api/v0/unknown")
    assert SECRET_TEXT.encode() not in collector.raw
    assert not any("health" in span.attributes.get("url.path", "") for span in collector.spans)


def test_a_commit_for_many(
    collector: OtlpReceiver, start_server: StartServer, postgres_url: str
) -> None:
    """A commit is below the first of its requests, and linked to the others."""
    server = start_server(postgres_url)
    server.create("t", {"name": "p"})
    events = {"input": {"events": [{"task": "t", "process": "p", "eventClass": "BEAT"}]}}
    with ThreadPoolExecutor(3) as threads, psycopg.connect(postgres_url) as blocker:
        blocker.execute("SELECT 1 FROM task FOR UPDATE")
        answers = [
            threads.submit(server.request, load_operation("submit_events"), events)
            for _ in range(3)
        ]
        until(lambda: scrape(server).sum("lamia_events_waiting", queue="lock") == 3, "they wait")
        blocker.rollback()
        assert [answer.result().status_code for answer in answers] == [200] * 3
    server.stop()
    requests = {
        span.span_id: span
        for span in collector.named("POST /graphql")
        if span.attributes.get("graphql.operation.name") == "SubmitEvents"
    }
    commit = collector.named("commit events")[-1]
    assert commit.attributes == {"lamia.commit.events": 3, "lamia.commit.requests": 3}
    assert {commit.parent_id, *commit.links} == set(requests)
    assert commit.trace_id == requests[commit.parent_id].trace_id


async def test_websocket_operations(
    collector: OtlpReceiver, start_server: StartServer, sqlite_url: str
) -> None:
    """Each operation has a trace of its own; a subscription until it ends."""
    server = start_server(sqlite_url)
    server.create("t", {"name": "p"})
    watch = CHANGES.replace("subscription", "subscription Watch", 1)
    async with WebSocketClient(server.url) as ws:
        await ws.subscribe("1", watch, names=["t"])
        await ws.receive()
        await ws.subscribe("2", "query Mine { server { version } }")
        assert [(await ws.receive())["type"] for _ in range(2)] == ["next", "complete"]
        await ws.subscribe("3", "query Wrong { nothing }")
        assert (await ws.receive())["type"] == "error"
        await until_async(lambda: len(collector.named("query")) == 2, lambda: collector.spans)
        assert collector.named("subscription") == []
        await ws.send({"id": "1", "type": "complete"})
        await until_async(lambda: collector.named("subscription"), lambda: collector.spans)
    spans = [*collector.named("query"), *collector.named("subscription")]
    assert {(span.attributes["graphql.operation.name"], span.has_failed) for span in spans} == {
        ("Mine", False),
        ("Wrong", True),
        ("Watch", False),
    }
    assert len({span.trace_id for span in spans}) == 3
    assert all(span.is_server and span.parent_id == "" for span in spans)


@pytest.mark.parametrize("hangs", [True, False])
def test_a_collector_that_is_gone(
    collector: OtlpReceiver, start_server: StartServer, sqlite_url: str, *, hangs: bool
) -> None:
    """Requests do not wait for it, and a server ends in time."""
    if hangs:
        collector.hangs = True
    else:
        collector.stop()
    server = start_server(sqlite_url, log_level="error")
    server.create("t", {"name": "p"})
    for _ in range(50):
        begin = time.monotonic()
        server.submit("t", "p", "BEAT")
        # An attempt to send takes up to ten seconds.
        assert time.monotonic() - begin < 5
    begin = time.monotonic()
    server.stop()
    assert time.monotonic() - begin < 10


NOT_IMPORTED = """
import sys
import lamia_gql.server.run
from lamia_gql.server.tracing import start_tracing

address = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
assert start_tracing({}) is None
assert start_tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}) is None
assert start_tracing(address | {"OTEL_SDK_DISABLED": "true"}) is None
assert start_tracing(address | {"OTEL_TRACES_EXPORTER": "none"}) is None
assert not [name for name in sys.modules if name.startswith(("opentelemetry", "requests"))]
"""


def test_nothing_is_imported_without_a_collector() -> None:
    """A server that sends no traces has nothing of OpenTelemetry."""
    done = subprocess.run(
        [sys.executable, "-c", NOT_IMPORTED], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_without_the_package(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says how to install it."""
    monkeypatch.setattr("lamia_gql.server.tracing.find_spec", lambda _: None)
    assert start_tracing({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1"}) is None
    assert "pip install 'lamia-gql[opentelemetry]'" in caplog.text


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "their protocol is http/protobuf, not grpc"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "-1", "max_queue_size must be a positive integer"),
    ],
)
def test_what_cannot_be_used(
    collector: OtlpReceiver,
    start_server: StartServer,
    sqlite_url: str,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    reason: str,
) -> None:
    """A server whose traces can't be sent serves all the same, and says so once."""
    monkeypatch.setenv(name, value)
    server = start_server(sqlite_url)
    assert server.get("/healthz").status_code == 200
    assert server.log().count("no traces are sent") == 1
    assert reason in server.log()

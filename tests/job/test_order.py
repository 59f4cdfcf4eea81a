"""The order in which events are sent: the oldest first, also where clocks are wrong."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lamia_gql.client.delivery import deliver
from lamia_gql.client.event import Event
from lamia_gql.client.flusher import Flusher
from lamia_gql.client.request_limits import RequestLimits
from lamia_gql.client.server_connection import EventResult, ServerConnection
from lamia_gql.client.spool import Spool
from tests.support.harness import Server, StartServer
from tests.support.job_side import (
    FaultyServer,
    job_environment,
    run_lamia_job,
    run_skewed_lamia_job,
    spooled_events,
    stored_event_classes,
    stored_events,
)

HOUR_S = 3600.0
STORED = EventResult(None, "", False)


def make_event(event_class: str, index: int = 0, **fields: Any) -> Event:
    """An event of a job in an array."""
    address = {"task": "t", "process": "p", "index": index, "eventClass": event_class}
    return Event({"id": str(uuid.uuid4()), **address, **fields}, index_found=False)


class Recorder(ServerConnection):
    """A connection that remembers what was sent, and answers by a rule."""

    def __init__(self, rule: Any = lambda _event: STORED) -> None:
        self.rule = rule
        self.sent: list[dict[str, Any]] = []

    def submit(
        self, events: Sequence[dict[str, Any]], *, with_clock: bool = False
    ) -> list[EventResult]:
        """Note the events, and apply the rule to each."""
        self.sent += events
        return [self.rule(event) for event in events]

    @property
    def classes(self) -> list[str]:
        """The classes of what was sent."""
        return [event["eventClass"] for event in self.sent]


@pytest.fixture
def away(start_server: StartServer, sqlite_url: str) -> Server:
    """A server with a task of one solitary process, that is away."""
    server = start_server(sqlite_url)
    server.create("t", {"name": "p"})
    server.kill()
    return server


def assert_done(server: Server) -> None:
    """The job is DONE, whatever its clock said."""
    process = server.process("t", "p")
    assert process["state"] == "SUCCEEDED", stored_event_classes(server)
    server.check_counters()


def test_job_ahead_of_the_server_ends(away: Server, tmp_path: Path) -> None:
    """The server takes its own time for such a job, so its end has to arrive after its start."""
    environ = job_environment(away.url, tmp_path)
    run_skewed_lamia_job(environ, HOUR_S, "run", "--", "true")
    assert len(spooled_events(tmp_path)) == 2
    away.start()
    assert run_lamia_job(environ, "flush").returncode == 0
    assert_done(away)


def test_server_comes_back_between_start_and_end(away: Server, tmp_path: Path) -> None:
    """What is new waits for what lies in the spool, also what another process has left there."""
    environ = job_environment(away.url, tmp_path)
    run_skewed_lamia_job(environ, HOUR_S, "emit", "STARTED")
    assert len(spooled_events(tmp_path)) == 1
    away.start()
    run_skewed_lamia_job(environ, HOUR_S, "emit", "DONE")
    assert spooled_events(tmp_path) == []
    assert_done(away)


def test_clock_that_is_set_back(away: Server, tmp_path: Path) -> None:
    """The order in the spool is that of writing, even if the clock goes back between two events."""
    environ = job_environment(away.url, tmp_path)
    for number, event_class in enumerate(["STARTED", "BEAT", "DONE"]):
        run_skewed_lamia_job(environ, (5 - number) * HOUR_S, "emit", event_class)
    away.start()
    assert run_lamia_job(environ, "flush").returncode == 0
    assert_done(away)


def test_start_that_has_to_be_shortened(away: Server, tmp_path: Path) -> None:
    """An end does not overtake a start that is sent again because its payload is too large."""
    environ = job_environment(away.url, tmp_path)
    payload = json.dumps("x" * 70_000)
    run_skewed_lamia_job(environ, HOUR_S, "emit", "STARTED", "--payload", payload)
    run_skewed_lamia_job(environ, HOUR_S, "emit", "DONE")
    away.start()
    assert run_lamia_job(environ, "flush").returncode == 0
    assert_done(away)
    assert stored_events(away)[0]["payload"]["truncated"]


def test_hanging_server_comes_back(tmp_path: Path) -> None:
    """A job that runs on sends its earlier events first when the server is back."""
    with FaultyServer("503") as server:
        environ = job_environment(server.url, tmp_path)
        done = run_lamia_job(environ, "run", "--beat", "0.3", "--", "sleep", "1")
        assert done.returncode == 0
        server.mode = "good"
        server.requests.clear()
        run_lamia_job(environ, "emit", "SUBMITTED")
        sent = [event["eventClass"] for _headers, batch in server.requests for event in batch]
    assert sent[0] == "STARTED"
    assert set(sent[1:-2]) == {"BEAT"}
    assert sent[-2:] == ["DONE", "SUBMITTED"]


def test_events_that_are_spooled_together(tmp_path: Path) -> None:
    """Their files are sorted by priority, but they are sent in their order."""
    spool = Spool(str(tmp_path), "http://host/graphql")
    names = ["SUBMITTED", "STARTED", "BEAT", "PROGRESS", "BEAT", "DONE"]
    spool.add([make_event(name) for name in names])
    spool.add([make_event(name) for name in reversed(names)])
    assert len(spool.file_names()) == 8
    connection = Recorder()
    for _result in Flusher(connection, spool).flush():
        pass
    assert connection.classes == names + names[::-1]


def test_files_of_an_older_version(tmp_path: Path) -> None:
    """They are sent too, in the order of their events' times: ends were written first."""
    spool = Spool(str(tmp_path), "http://host/graphql")
    spool.add([make_event("BEAT", index=1)])
    for priority, event_class, time_us in ((3, "DONE", 0), (2, "STARTED", 900), (0, "BEAT", 1800)):
        sent_at = {"STARTED": 1, "BEAT": 2, "DONE": 3}[event_class]
        event = make_event(event_class, sentAt=f"2026-01-01T00:00:0{sent_at}+00:00")
        record = {"indexFound": False, "event": event.fields}
        name = f"{priority}-{1_700_000_000_000_000 + time_us:016}-00000300-{uuid.uuid4()}"
        Path(spool.folder, name).write_text(json.dumps(record) + "\n")
    connection = Recorder()
    for _result in Flusher(connection, spool).flush():
        pass
    assert connection.classes == ["STARTED", "BEAT", "DONE", "BEAT"]
    assert spool.file_names() == []


def test_older_versions_read_new_files(tmp_path: Path) -> None:
    """They look for a priority, a time and a size in the name, and two members in each line."""
    spool = Spool(str(tmp_path), "http://host/graphql")
    spool.add([make_event("DONE")])
    (name,) = spool.file_names()
    content = Path(spool.folder, name).read_bytes()
    assert re.match(r"[0-3]-[0-9]{16}-[0-9]{8}-", name)
    assert int(name.split("-")[2]) == len(content)
    record = json.loads(content)
    assert {"indexFound", "event"} <= record.keys()


def test_what_is_kept_holds_back_its_job(tmp_path: Path) -> None:
    """An end does not overtake a start that the server has no time for; other jobs go ahead."""
    busy = True

    def rule(event: dict[str, Any]) -> EventResult:
        is_start = event["eventClass"] == "STARTED" and event["index"] == 0
        return EventResult("BUSY", "Later.", False) if busy and is_start else STORED

    connection, limits = Recorder(rule), RequestLimits()
    limits.note_events(2)
    batch = [make_event(name, index) for name in ("STARTED", "BEAT", "DONE") for index in (0, 1)]
    result = deliver(connection, batch, limits)
    assert result.kept == batch[0::2]
    assert result.stored == batch[1::2]

    spool = Spool(str(tmp_path), "http://host/graphql")
    spool.add(result.kept)
    limits.note_events(1)
    for _result in Flusher(connection, spool, limits).flush():
        pass
    busy = False
    connection.sent.clear()
    for _result in Flusher(connection, spool, limits).flush():
        pass
    assert connection.classes == ["STARTED", "BEAT", "DONE"]


def test_rest_of_a_file_keeps_its_place(tmp_path: Path) -> None:
    """What is left of a file that was sent in part goes before what was written after it."""
    spool = Spool(str(tmp_path), "http://host/graphql")
    batch = [make_event("BEAT", number=number) for number in range(4)]
    spool.add(batch[:3])
    (name,) = spool.file_names()
    spool.add(batch[3:])
    spool.replace(name, [event._replace(order=n) for n, event in enumerate(batch)][1:3])
    connection = Recorder()
    for _result in Flusher(connection, spool).flush():
        pass
    assert [event["number"] for event in connection.sent] == [1, 2, 3]

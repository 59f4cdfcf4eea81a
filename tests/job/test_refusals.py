"""What is refused is sent in another form, or put aside; nothing in one event stops the others."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from lamia_gql.client import Job, refused_events
from lamia_gql.client.configuration import ServerConfig
from lamia_gql.client.event import Event
from lamia_gql.client.sender import Sender
from lamia_gql.client.spool import Spool
from lamia_gql.client.warning_log import WarningLog
from tests.support.harness import Server
from tests.support.job_side import (
    ROOT,
    FaultyServer,
    job_environment,
    run_lamia_job,
    spooled_events,
    stored_events,
)
from tests.support.waiting import until


def make_event(event_class: str = "BEAT", **fields: Any) -> Event:
    """An event of a solitary process."""
    base = {"id": str(uuid.uuid4()), "task": "t", "process": "p", "eventClass": event_class}
    return Event(base | fields, index_found=False)


def aside(folder: Path) -> list[dict[str, Any]]:
    """The records in ``refused/``."""
    return [json.loads(path.read_text()) for path in folder.glob("spool/*/refused/*.json")]


def fill_spool(url: str, folder: Path, *batch: Event) -> None:
    """Leave events in the spool that is made by ``job_environment``."""
    spool = Spool(str(folder / "spool"), f"{url}/graphql")
    for event in batch:
        spool.add([event])


@pytest.mark.parametrize("mebibytes", [1, 17])
def test_end_with_a_huge_payload(sqlite_server: Server, tmp_path: Path, mebibytes: int) -> None:
    """An end arrives however large its payload is, with the beginning and the size of that.

    A request of 17 MiB is refused as a whole.
    """
    sqlite_server.create("t", {"name": "p"})
    one = Job(environ=job_environment(sqlite_server.url, tmp_path))
    one.emit("STARTED")
    one.done(["ü\n" * (mebibytes << 18)])
    one.close(30)
    run_lamia_job(job_environment(sqlite_server.url, tmp_path), "flush")
    assert sqlite_server.process("t", "p")["state"] == "SUCCEEDED"
    payload = stored_events(sqlite_server)[-1]["payload"]
    assert (payload["truncated"], payload["bytes"]) == (True, (mebibytes << 20) + 4)
    assert payload["head"].startswith('["ü\\nü')
    assert aside(tmp_path) == []


def test_end_with_too_many_values(sqlite_server: Server, tmp_path: Path) -> None:
    """An end arrives although the server refuses its request for the number of values in it."""
    sqlite_server.create("t", {"name": "p"})
    one = Job(environ=job_environment(sqlite_server.url, tmp_path))
    one.done([1] * 300_000)
    one.close(30)
    assert sqlite_server.process("t", "p")["state"] == "SUCCEEDED"
    assert stored_events(sqlite_server)[-1]["payload"]["truncated"] is True
    assert aside(tmp_path) == []


def test_server_without_payloads(tmp_path: Path) -> None:
    """A payload is cut, then its beginning is left out, then all of it; the end is sent."""
    with FaultyServer("PAYLOAD_TOO_LARGE") as server:
        run_lamia_job(
            job_environment(server.url, tmp_path), "emit", "DONE", "--payload", '{"a": 1}'
        )
        sent = [event.get("payload") for _headers, batch in server.requests for event in batch]
    marker = {"truncated": True, "bytes": 7}
    assert sent == [{"a": 1}, {**marker, "head": '{"a":1}'}, {**marker, "head": ""}, None]


def test_refused_events_are_bounded_in_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The oldest of them go, also those that an older version has left; the user is told."""
    monkeypatch.setattr(refused_events, "MAX_REFUSED_BYTES", 100_000)
    with FaultyServer("INDEX_OUT_OF_RANGE") as server:
        fill_spool(server.url, tmp_path)
        folder = Path(Spool(str(tmp_path / "spool"), f"{server.url}/graphql").folder, "refused")
        old = folder / f"{1_700_000_000_000_000}-{uuid.uuid4()}.json"
        folder.mkdir(parents=True)
        old.write_text("x" * 50_000)
        one = Job(environ=job_environment(server.url, tmp_path))
        for number in range(12):
            one.beat({"number": number, "text": "x" * 20_000})
        one.close()
    kept = sorted(folder.iterdir())
    assert sum(path.stat().st_size for path in kept) <= 100_000
    assert old not in kept
    assert [json.loads(path.read_text())["event"]["payload"]["number"] for path in kept] == [
        8,
        9,
        10,
        11,
    ]
    assert "refused is full: the oldest events in it are dropped." in capfd.readouterr().err


def test_mistyped_event_class(tmp_path: Path) -> None:
    """It is refused with a notice, and what follows is kept while the server is away."""
    source = """
from lamia_gql.client import Job
job = Job()
job.emit("FINISHED")
job.emit(["DONE"])
for number in range(3):
    job.progress(number)
    job.close(0.5)
job.emit("done")
job.done()
job.close()
"""
    with FaultyServer("503") as server:
        done = subprocess.run(
            [sys.executable, "-c", source],
            env=job_environment(server.url, tmp_path),
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
    assert b"'FINISHED' is not an event class: use BEAT, " in done.stderr
    assert b"stopped" not in done.stderr
    kept = sorted(spooled_events(tmp_path), key=lambda event: str(event["sentAt"]))
    assert [event["eventClass"] for event in kept] == ["PROGRESS"] * 3 + ["DONE"]


class Unspeakable:
    """Raises whatever it is asked."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


BROKEN = {
    "an object": {"payload": object()},
    "one that raises": {"payload": Unspeakable()},
    "not a number": {"progress": float("nan")},
    "a huge integer": {"payload": 10**5000},
    "a class of no kind": {"eventClass": ["BEAT"], "payload": object()},
    "an unknown class": {"eventClass": "FINISHED", "payload": {1, 2}},
}


@pytest.mark.parametrize("mode", ["good", "503", "500"])
@pytest.mark.parametrize("fields", BROKEN.values(), ids=BROKEN)
def test_event_that_can_not_be_encoded(tmp_path: Path, fields: dict[str, Any], mode: str) -> None:
    """It is put aside; the events around it are sent, or kept until the server is back."""
    with FaultyServer(mode) as server:
        config = ServerConfig(f"{server.url}/graphql", None, None, str(tmp_path / "spool"), {})
        sender = Sender(config, ("t", "p"), WarningLog(quiet=True))
        around = [make_event("STARTED"), make_event("BEAT"), make_event("DONE")]
        sender.put(around[0])
        sender.put(make_event(**fields))
        sender.put(around[1])
        if mode != "good":
            until(lambda: len(spooled_events(tmp_path)) == 2, "the spool")
            server.mode = "good"
        sender.put(around[2])
        sender.close(10)
        run_lamia_job(job_environment(server.url, tmp_path), "flush")
        sent = [event["id"] for _headers, batch in server.requests for event in batch]
    assert {event.id for event in around} <= set(sent)
    assert spooled_events(tmp_path) == []
    assert len(aside(tmp_path)) == 1


def test_anything_in_a_payload(sqlite_server: Server, tmp_path: Path) -> None:
    """Whatever a user passes to the class, the end arrives."""
    sqlite_server.create("t", {"name": "p"})
    one = Job(environ=job_environment(sqlite_server.url, tmp_path), quiet=True)
    for value in (10**5000, 10**400, [10**5000], "\udcff", {"\ud800": "\0"}, float("inf")):
        one.beat(value)
        one.emit("DONE", progress=value, payload=value)  # type: ignore[arg-type]  # users do
    one.close(20)
    run_lamia_job(job_environment(sqlite_server.url, tmp_path), "flush")
    found = [event["eventClass"] for event in stored_events(sqlite_server)]
    assert found == ["BEAT", "DONE"] * 6
    assert aside(tmp_path) == []


def test_lines_of_other_types_in_the_spool(tmp_path: Path) -> None:
    """A file with anything in it neither stops the sender nor `flush`."""
    good = make_event("DONE")
    strange: list[dict[str, Any]] = [
        {"task": ["t"]},
        {"eventClass": ["DONE"]},
        {"eventClass": "FINISHED"},
        {"id": 7},
    ]
    with FaultyServer("good") as server:
        fill_spool(server.url, tmp_path, good)
        (folder,) = (tmp_path / "spool").iterdir()
        for number, fields in enumerate(strange):
            record = {"indexFound": False, "event": make_event().fields | fields}
            (folder / f"0-{number:016}-00000100-strange").write_text(json.dumps(record))
        digits = {"indexFound": False, "event": make_event(payload=0).fields}
        text = json.dumps(digits).replace('"payload": 0', '"payload": ' + "9" * 5000)
        (folder / f"3-{9:016}-00000100-digits").write_text(text)
        done = run_lamia_job(job_environment(server.url, tmp_path), "flush")
    assert done.stdout == b"2 events sent, 0 refused, 0 files left.\n", done.stderr
    assert len(aside(tmp_path)) == len(strange)


def test_proxy_with_a_limit(tmp_path: Path) -> None:
    """Requests that a proxy refuses for their size are made smaller, and stay so."""
    with FaultyServer("good") as server:
        server.max_bytes = 150_000
        batch = [make_event(number=number, payload="x" * 60_000) for number in range(40)]
        fill_spool(server.url, tmp_path, *batch)
        done = run_lamia_job(job_environment(server.url, tmp_path), "flush")
        assert done.stdout == b"40 events sent, 0 refused, 0 files left.\n", done.stderr
        sent = [event for _headers, part in server.requests for event in part]
        assert sent == [event.fields for event in batch]
        # Of eight, four and ... events.
        assert len(server.refused) <= 3


def test_proxy_with_a_limit_below_one_event(tmp_path: Path) -> None:
    """The events arrive with a part of their payload, or without one."""
    with FaultyServer("good") as server:
        server.max_bytes = 3000
        batch = [make_event(payload="x" * size) for size in (10, 60_000, 20)]
        fill_spool(server.url, tmp_path, *batch, make_event("DONE", hostname="x" * 4000))
        done = run_lamia_job(job_environment(server.url, tmp_path), "flush")
        assert done.stdout == b"4 events sent, 0 refused, 0 files left.\n", done.stderr
        sent = [event for _headers, part in server.requests for event in part]
    payloads = [event.get("payload") for event in sent]
    assert payloads == ["x" * 10, {"truncated": True, "bytes": 60_002, "head": ""}, "x" * 20, None]
    assert aside(tmp_path) == []


def test_proxy_that_refuses_many_events(tmp_path: Path) -> None:
    """A status 400 for a request with many events is a limit too, if each of them is accepted."""
    with FaultyServer("good") as server:
        server.max_events, server.refusal = 30, 400
        batch = [make_event(number=number) for number in range(400)]
        fill_spool(server.url, tmp_path, *batch)
        done = run_lamia_job(job_environment(server.url, tmp_path), "flush")
        assert done.stdout == b"400 events sent, 0 refused, 0 files left.\n", done.stderr
        # Of 200, 100 and 50 events; from then on 25 at a time.
        assert len(server.refused) == 3
        sent = [event for _headers, part in server.requests for event in part]
    assert sent == [event.fields for event in batch]


@pytest.mark.parametrize("status", [400, 413])
def test_event_that_no_proxy_lets_through(tmp_path: Path, status: int) -> None:
    """It is put aside in the end, and the others arrive, also those of a running job."""
    with FaultyServer("good") as server:
        server.max_bytes, server.refusal = 5000, status
        bad = make_event("STARTED", task="t" * 6000)
        fill_spool(server.url, tmp_path, make_event(), bad, make_event("DONE"))
        done = run_lamia_job(job_environment(server.url, tmp_path), "flush")
        assert done.stdout == b"2 events sent, 1 refused, 0 files left.\n", done.stderr
        assert str(status).encode() in done.stderr
        run_lamia_job(job_environment(server.url, tmp_path, task="u" * 6000), "emit", "DONE")
    assert {record["event"]["task"] for record in aside(tmp_path)} == {"t" * 6000, "u" * 6000}
    assert spooled_events(tmp_path) == []


@pytest.mark.parametrize("status", [400, 413])
def test_address_of_something_else(tmp_path: Path, status: int) -> None:
    """Where not even an empty request gets through, no event is to blame: all are kept."""
    with FaultyServer("good") as server:
        server.max_bytes, server.refusal = 0, status
        fill_spool(server.url, tmp_path, *(make_event() for _ in range(5)))
        done = run_lamia_job(job_environment(server.url, tmp_path), "flush")
        assert (done.returncode, len(spooled_events(tmp_path))) == (1, 5)
        assert str(status).encode() in done.stderr
        server.max_bytes = 1 << 20
        assert run_lamia_job(job_environment(server.url, tmp_path), "flush").returncode == 0
    assert aside(tmp_path) == []

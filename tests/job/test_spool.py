"""The spool: whole events or none, bounded in size, and shared by processes."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lamia_gql.client import Job, refused_events
from lamia_gql.client import spool as spool_module
from lamia_gql.client.event import Event
from lamia_gql.client.spool import Spool
from tests.support.harness import StartServer
from tests.support.job_side import (
    ROOT,
    FaultyServer,
    job_environment,
    run_lamia_job,
    spooled_events,
    stored_events,
)
from tests.support.waiting import until

URL = "http://host/graphql"


def make_event(event_class: str = "BEAT", **fields: object) -> Event:
    """An event of a job."""
    address = {"task": "t", "process": "p", "eventClass": event_class}
    return Event({"id": str(uuid.uuid4()), **address, **fields}, index_found=False)


def read_all(spool: Spool) -> list[Event]:
    """What waits, in the order in which it would go; without the places in the spool."""
    found = []
    for names in spool.group_files(spool.file_names()):
        events = [event for name in names for event in spool.read(name)]
        events.sort(key=lambda event: (event.order, str(event.fields.get("sentAt"))))
        found += [event._replace(order=0) for event in events]
    return found


def test_what_is_put_is_read(tmp_path: Path) -> None:
    """Events come back as they were, in the order in which they were put."""
    spool = Spool(str(tmp_path), URL)
    names = ["BEAT", "PROGRESS", "STARTED", "DONE", "BEAT", "FAILED"]
    put = [make_event(name, payload={"ü": "\n\\n"}) for name in names]
    assert spool.add(put).dropped == 0
    assert read_all(spool) == put
    assert Spool(str(tmp_path), "http://other/graphql").file_names() == []


def test_full_spool_drops_beats_first(tmp_path: Path) -> None:
    """A full spool drops beats first, then progress, then starts, and never ends for these."""
    spool = Spool(str(tmp_path), URL, max_bytes=10 * 4096)
    first = [make_event("BEAT", number=number) for number in range(5)]
    for event in first:
        assert spool.add([event]).dropped == 0
    for event_class in ("PROGRESS", "STARTED", "DONE", "FAILED", "TERMINATED"):
        assert spool.add([make_event(event_class)]).dropped == 0
    assert spool.add([make_event("DONE"), make_event("BEAT", number=5)]).dropped == 2
    kept = read_all(spool)
    beats = [event.fields["number"] for event in kept if event.fields["eventClass"] == "BEAT"]
    assert sorted(beats) == [2, 3, 4, 5]

    for _ in range(20):
        spool.add([make_event("DONE")])
    assert {event.fields["eventClass"] for event in read_all(spool)} <= {
        "DONE",
        "FAILED",
        "TERMINATED",
    }
    assert spool.add([make_event("BEAT")]).dropped == 1
    assert len(spool.file_names()) == 10


def test_full_disk_makes_room_for_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk, an old beat is dropped for an end, not the reverse."""
    spool = Spool(str(tmp_path), URL)
    for _ in range(3):
        spool.add([make_event("BEAT")])
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if len(spool.file_names()) >= 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    assert spool.add([make_event("DONE")]).dropped == 2
    classes = [event.fields["eventClass"] for event in read_all(spool)]
    assert classes == ["BEAT", "DONE"]
    assert not list(tmp_path.glob("*/.*.draft"))


def test_full_disk_is_emptied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What others have left is sent also where there is no room for a mark that somebody does."""
    real = os.open

    def open_nothing_new(path: str, flags: int, *mode: int) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, flags, *mode)

    with FaultyServer("good") as server:
        environ = job_environment(server.url, tmp_path)
        Spool(environ["LAMIA_SPOOL"], f"{server.url}/graphql").add([make_event(index=3)])
        monkeypatch.setattr(os, "open", open_nothing_new)
        with Job(environ=environ):
            until(lambda: not spooled_events(tmp_path), "room")
        sent = {event["eventClass"] for _headers, batch in server.requests for event in batch}
    assert sent == {"BEAT", "STARTED", "DONE"}


def test_large_payload_costs_nobody_else(tmp_path: Path) -> None:
    """Of what an end has more than there is room for a part is kept, and all of the others."""
    spool = Spool(str(tmp_path), URL)
    beats = [make_event("BEAT", payload="x" * 500_000) for _ in range(5)]
    end = make_event("DONE", payload="x" * spool_module.MAX_SPOOL_BYTES)
    assert spool.add(beats).dropped == 0
    kept = spool.add([end, *beats])
    assert (kept.dropped, set(kept.file_names)) == (0, {event.id for event in [end, *beats]})
    found = read_all(spool)
    assert [event.id for event in found] == [event.id for event in [*beats, end, *beats]]
    payload = found[5].fields["payload"]
    assert (payload["truncated"], payload["bytes"]) == (True, spool_module.MAX_SPOOL_BYTES + 2)
    assert payload["head"].startswith('"xxx')
    assert all(event.fields["payload"] == "x" * 500_000 for event in found[:5])


def test_folder_of_another_user_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A spool folder owned by another user is neither written nor read.

    Also where all that is expected is in it.
    """
    spool = Spool(str(tmp_path), URL)
    spool.add([make_event()])
    real = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: real + 1)
    assert spool.file_names() == []
    with pytest.raises(PermissionError):
        spool.add([make_event()])
    monkeypatch.setattr(os, "getuid", lambda: real)
    assert len(spool.file_names()) == 1


def test_damaged_and_foreign_files(tmp_path: Path) -> None:
    """Drafts are ignored; whole lines of a damaged file are sent, the rest is put aside once."""
    server = FaultyServer("503")
    environ = job_environment(server.url, tmp_path)
    spool = Spool(environ["LAMIA_SPOOL"], f"{server.url}/graphql")
    good, other = make_event("DONE"), make_event("BEAT")
    spool.add([good])
    folder = Path(spool.folder)
    (folder / ".abc.draft").write_bytes(other.encode()[:50])
    (folder / "0-1-2-damaged").write_bytes(other.encode() + good.encode()[:50])
    (folder / "0-1-2-deep").write_bytes(b"[" * 100_000)
    (folder / "notes.txt").write_text("mine")
    assert sorted(event.id for event in read_all(spool)) == sorted([good.id, other.id])
    with server:
        for mode, left in (("503", 2), ("503", 2), ("good", 0)):
            server.mode = mode
            server.requests.clear()
            run_lamia_job(environ, "flush")
            assert len(spool.file_names()) == left
            assert len(list(folder.glob("refused/*"))) == 2 - left // 2
        sent = {event["id"] for _headers, batch in server.requests for event in batch}
    assert sent == {good.id, other.id}


def test_drafts_of_killed_writers_are_removed(tmp_path: Path) -> None:
    """Drafts of killed writers are removed after a day; current ones stay."""
    spool = Spool(str(tmp_path), URL)
    spool.add([make_event()])
    old, new = (Path(spool.folder) / f".{name}.draft" for name in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"x")
    os.utime(old, (0, time.time() - 2 * 24 * 3600))
    assert spool.claim()
    assert (old.exists(), new.exists()) == (False, True)


def test_one_sends_at_a_time_unless_it_died(tmp_path: Path) -> None:
    """One process sends at a time; a lock that is two minutes old is stale."""
    one, other = Spool(str(tmp_path), URL), Spool(str(tmp_path), URL)
    assert one.claim()
    assert not other.claim()
    one.release_claim()
    assert other.claim()
    os.utime(Path(one.folder) / ".sending", (0, time.time() - 200))
    assert one.claim()
    # It died on a node whose clock is ahead.
    os.utime(Path(one.folder) / ".sending", (0, time.time() + 3600))
    assert other.claim()


def test_refused_events_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest of those that were put aside go."""
    monkeypatch.setattr(refused_events, "MAX_REFUSED_FILES", 10)
    spool = Spool(str(tmp_path), URL)
    for number in range(15):
        spool.add_refused(make_event(number=number), "NO: No.")
    kept = sorted(Path(spool.folder, "refused").iterdir())
    assert len(kept) == 10
    assert '"number": 14' in kept[-1].read_text()


def test_killed_in_the_middle_of_writing(tmp_path: Path) -> None:
    """After a writer is killed, the spool holds whole events, including all acknowledged ones."""
    source = """
import sys, uuid
from lamia_gql.client.event import Event
from lamia_gql.client.spool import Spool
spool = Spool(sys.argv[1], "http://host/graphql")
while True:
    id = str(uuid.uuid4())
    fields = {"id": id, "task": "t", "process": "p", "eventClass": "DONE", "payload": "x" * 20000}
    spool.add([Event(fields, False)])
    print(id, flush=True)
"""
    acknowledged: set[str] = set()
    for round_ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", source, str(tmp_path)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        assert process.stdout is not None
        first = process.stdout.readline()
        # Each time, another moment of the writing.
        time.sleep(0.013 * round_)
        process.send_signal(signal.SIGKILL)
        out = first + process.communicate()[0]
        acknowledged |= {line.decode() for line in out.splitlines() if len(line) == 36}
    spool = Spool(str(tmp_path), URL)
    read = {event.id for event in read_all(spool)}
    assert acknowledged <= read
    assert len(read) <= len(acknowledged) + 8
    assert not list(tmp_path.glob("*/refused/*"))


def test_sixteen_emitters_and_two_flushers(
    start_server: StartServer, sqlite_url: str, tmp_path: Path
) -> None:
    """Sixteen processes share a spool while the server is down; then two flush it at once."""
    server = start_server(sqlite_url)
    server.create("t", {"name": "p", "jobCount": 16})
    url = server.url
    server.kill()
    source = """
import os
from lamia_gql.client import Job
job = Job()
for number in range(20):
    job.progress(number + 1)
    if number % 5 == 0:
        job.close(0.2)
job.done()
job.close()
"""

    def emit(index: int) -> subprocess.CompletedProcess[bytes]:
        environ = job_environment(url, tmp_path, LAMIA_INDEX=index)
        command = [sys.executable, "-c", source]
        return subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, check=True)

    with ThreadPoolExecutor(16) as pool:
        for done in pool.map(emit, range(16)):
            assert done.stderr.count(b"lamia-job:") == 1
    assert len({event["id"] for event in spooled_events(tmp_path)}) == 16 * 21

    server.start()
    environ = job_environment(url, tmp_path)
    with ThreadPoolExecutor(2) as pool:
        for done in pool.map(lambda _: run_lamia_job(environ, "flush"), range(2)):
            assert done.returncode == 0, done.stderr
    assert spooled_events(tmp_path) == []
    found = stored_events(server)
    assert len(found) == len({event["uuid"] for event in found}) == 16 * 21
    assert server.process("t", "p")["state"] == "SUCCEEDED"
    server.check_counters()

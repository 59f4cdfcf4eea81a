"""/readyz tells whether a server can write: with a full disk, a read-only file, a lock, in vain."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from tests.support.harness import SUBMIT_EVENT, Server, StartServer
from tests.support.waiting import until


def reason(server: Server) -> str:
    """Why a server is not ready; empty if it is."""
    answer = server.get("/readyz")
    found: str = answer.json().get("reason", "")
    assert (answer.status_code, bool(found)) in ((200, False), (503, True))
    return found


def until_ready(server: Server) -> None:
    """Wait until a server is ready."""
    until(lambda: not reason(server), lambda: reason(server))


def until_failed(server: Server, why: str = "") -> None:
    """Wait until a server is not ready, for a reason with these words."""
    until(lambda: (found := reason(server)) and why in found, lambda: reason(server))


def beat(server: Server) -> int:
    """The status of the answer to an event."""
    event = {"task": "t", "process": "p", "eventClass": "BEAT"}
    return server.request(SUBMIT_EVENT, {"input": event}).status_code


def mount(*arguments: str) -> None:
    """Mount something, or skip the test: one must be root, and not in every container."""
    done = subprocess.run(["mount", *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder of 4 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount("-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk))
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(file: Path) -> None:
    """Write to a file until the disk is full."""
    with file.open("wb", buffering=0) as other, suppress(OSError):
        while True:
            other.write(bytes(4096))


def test_the_disk_is_full(start_server: StartServer, small_disk: Path) -> None:
    """Not ready while events can't be stored; ready as soon as there is room again."""
    server = start_server(f"sqlite:///{small_disk}/lamia.sqlite")
    server.create("t", {"name": "p"})
    until_ready(server)
    fill(small_disk / "other")
    until_failed(server, "failed")
    assert beat(server) == 503
    assert server.get("/healthz").status_code == 200
    (small_disk / "other").unlink()
    until_ready(server)
    assert beat(server) == 200


def test_a_file_may_grow_no_more(start_server: StartServer, sqlite_url: str) -> None:
    """The same by a limit of the process, which needs no rights."""
    server = start_server(sqlite_url)
    full = Path(sqlite_url.removeprefix("sqlite:///") + "-wal").stat().st_size
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
    until_failed(server, "failed")
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, unlimited)
    until_ready(server)


def test_the_file_may_only_be_read(start_server: StartServer, tmp_path: Path) -> None:
    """Not ready on a backup that may not be written; ready, without a restart, once it may."""
    file, copy = tmp_path / "lamia.sqlite", tmp_path / "copy.sqlite"
    server = start_server(f"sqlite:///{file}")
    server.create("t", {"name": "p"})
    with closing(sqlite3.connect(file)) as original, closing(sqlite3.connect(copy)) as target:
        original.backup(target)
    with read_only(copy):
        for made in tmp_path.glob("lamia.sqlite*"):
            made.unlink()
        file.symlink_to(copy)
        until_failed(server, "failed")
        assert beat(server) == 503
        # What is read is there.
        assert server.process("t", "p")["state"] == "PENDING"
    until_ready(server)
    assert beat(server) == 200


@contextmanager
def read_only(file: Path) -> Iterator[None]:
    """Nobody, not even root, may write a file during the block."""
    file.chmod(0o444)
    is_bound = os.access(file, os.W_OK)
    if is_bound:
        # Modes do not bind root, but mounts do.
        mount("--bind", str(file), str(file))
        mount("-o", "remount,bind,ro", str(file))
    yield
    if is_bound:
        subprocess.run(["umount", "-l", str(file)], check=True)
    file.chmod(0o644)


def test_another_process_keeps_the_lock(start_server: StartServer, sqlite_url: str) -> None:
    """The answer does not wait for it, and the server is ready again as soon as it is gone."""
    server = start_server(sqlite_url)
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    begin = time.monotonic()
    until_failed(server, "has not completed a small write within 1 s")
    # Less than any timeout of the database, whatever else the machine does.
    assert time.monotonic() < begin + 15
    other.execute("ROLLBACK")
    other.close()
    until_ready(server)


def test_postgresql_may_only_be_read(start_server: StartServer, postgres_url: str) -> None:
    """A database that became a read-only replica is not ready."""
    server = start_server(postgres_url)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        name = connection.info.dbname
        for value, until_changed in ("on", until_failed), ("off", until_ready):
            connection.execute(
                f'ALTER DATABASE "{name}" SET default_transaction_read_only = {value}'.encode()
            )
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            until_changed(server)


def test_many_questions_are_one_write(start_server: StartServer, sqlite_url: str) -> None:
    """Whoever asks, and however often: the database is tested once a second at most."""
    server = start_server(sqlite_url)
    file = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))

    def writes() -> int:
        found: int = file.execute("PRAGMA user_version").fetchone()[0]
        return found

    def all_are_told_that_it_is_ready() -> bool:
        begin, before = time.monotonic(), writes()
        with ThreadPoolExecutor(8) as threads:
            told = set(threads.map(lambda _: reason(server), range(100)))
        assert 0 <= writes() - before <= 1 + time.monotonic() - begin
        return told == {""}

    # On a busy disk, a small write may take too long once.
    until(all_are_told_that_it_is_ready, lambda: reason(server))
    before = writes()
    until(lambda: not reason(server) and writes() > before, lambda: "nothing was written")
    file.close()


def test_health_and_readiness(start_server: StartServer, postgres_url: str) -> None:
    """/healthz reports that the server runs, /readyz whether its database is there and migrated."""
    server = start_server(postgres_url)
    assert server.get("/healthz").json()["status"] == "ok"
    until(lambda: server.get("/readyz").json() == {"status": "ready"}, "ready")
    with psycopg.connect(postgres_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'of-another-version'")
    until_failed(server, "lamia-gql migrate")
    assert server.get("/healthz").status_code == 200

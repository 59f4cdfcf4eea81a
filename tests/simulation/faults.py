"""The seam between servers and databases, where statements are held, refused, lost or frozen.

Two devices sit there. :class:`Gate` hooks into SQLAlchemy, and into what goes past it, on both
engines: it sees every statement before the driver does. :class:`PostgresProxy` passes bytes
between a server and PostgreSQL: it knows where a COMMIT begins and where its answer ends.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect

from lamia_gql.storage.driver import Driver

COMMIT = -1
"""The place of a COMMIT, instead of the number of a statement."""
LONGEST_HOLD_S = 20.0


class Fault(StrEnum):
    """What goes wrong, at which seam."""

    REQUEST_LOST = "the request is lost on its way to the server"
    ANSWER_LOST = "the answer is lost on its way to the client"
    BODY_CUT = "the client goes away within the body of the request"
    HOLD = "the database is held before a statement"
    FAILURE = "the database fails at a statement"
    RACE_LOST = "a transaction loses a race at a statement"
    COMMIT_FAILURE = "the database fails instead of committing"
    COMMIT_RACE_LOST = "a transaction loses a race at its COMMIT"
    CUT_BEFORE_COMMIT = "the connection is cut before COMMIT reaches the database"
    CUT_AFTER_COMMIT = "the connection is cut after COMMIT, before its answer"
    FREEZE_COMMIT = "the connection goes dead at COMMIT: nothing is said any more"
    FREEZE = "the host of the database goes dead"
    CUT_LISTEN = "another server hears of no commits: its LISTEN is cut, and cut again"
    REFUSE = "the database closes all connections and refuses new ones"
    LOCK = "somebody else holds the row of a task"


CLIENT_SIDE = frozenset({Fault.REQUEST_LOST, Fault.ANSWER_LOST, Fault.BODY_CUT})
PROXIED = frozenset(
    {
        Fault.CUT_BEFORE_COMMIT,
        Fault.CUT_AFTER_COMMIT,
        Fault.FREEZE_COMMIT,
        Fault.FREEZE,
        Fault.CUT_LISTEN,
        Fault.REFUSE,
    }
)
"""Faults that only PostgreSQL can have, since SQLite has no connection that could be lost."""


class Gate:
    """What every statement of this process passes, before the driver sees it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fault: Fault | None = None
        self._countdown = 0
        self._loop_thread = threading.get_ident()
        self._on_held: Callable[[], object] = lambda: None
        self._released = threading.Event()

    @contextmanager
    def installed(self) -> Iterator[Self]:
        """Watch all engines until the block is left."""
        original: Any = DefaultDialect.do_commit
        original_run: Any = Driver._run
        original_commit: Any = Driver._commit

        def do_commit(dialect: DefaultDialect, connection: Any) -> None:
            self._pass(COMMIT, dialect.name)
            original(dialect, connection)

        def do_execute(_cursor: object, _statement: object, _values: object, context: Any) -> None:
            self._pass(0, context.dialect.name)

        def run(driver: Driver, *statement: Any) -> Any:
            self._pass(0, driver.dialect.name)
            return original_run(driver, *statement)

        def commit(driver: Driver, statements: str) -> Any:
            self._pass(COMMIT, driver.dialect.name)
            return original_commit(driver, statements)

        DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]
        Driver._run = run  # type: ignore[method-assign, assignment]
        Driver._commit = commit  # type: ignore[method-assign, assignment]
        for name in ("do_execute", "do_executemany"):
            event.listen(Engine, name, do_execute)
        try:
            yield self
        finally:
            self.calm()
            DefaultDialect.do_commit = original  # type: ignore[method-assign]
            Driver._run = original_run  # type: ignore[method-assign]
            Driver._commit = original_commit  # type: ignore[method-assign]
            for name in ("do_execute", "do_executemany"):
                event.remove(Engine, name, do_execute)

    def arm(self, fault: Fault, number: int, on_held: Callable[[], object] = lambda: None) -> None:
        """Let the ``number``-th statement from now on, from 1, or :data:`COMMIT` have a fault."""
        with self._lock:
            self._fault, self._countdown, self._on_held = fault, number, on_held
            self._released = threading.Event()

    def calm(self) -> bool:
        """Have no fault any more, and let go of what is held; whether the fault had come to be."""
        with self._lock:
            was_met = self._fault is None
            self._fault = None
            self._released.set()
            return was_met

    def _pass(self, place: int, dialect: str) -> None:
        # Where the loop itself speaks to the database, at its start, nothing may hold it up.
        if self._fault is None or threading.get_ident() == self._loop_thread:
            return
        with self._lock:
            if self._fault is None or (place == COMMIT) != (self._countdown == COMMIT):
                return
            if place != COMMIT:
                self._countdown -= 1
                if self._countdown > 0:
                    return
            fault, self._fault = self._fault, None
            released, on_held = self._released, self._on_held
        if fault is Fault.HOLD:
            on_held()
            released.wait(LONGEST_HOLD_S)
        elif dialect == "sqlite":
            raise sqlite3.OperationalError("disk I/O error")
        elif fault in (Fault.RACE_LOST, Fault.COMMIT_RACE_LOST):
            raise psycopg.errors.SerializationFailure("could not serialize access")
        else:
            raise psycopg.errors.QueryCanceled("canceling statement due to a fault")


class PostgresProxy:
    """Passes bytes between one server and PostgreSQL, in a thread of its own."""

    def __init__(self, upstream: Path) -> None:
        self.port = 0
        self._upstream = upstream
        self._fault: Fault | None = None
        self._links: set[_Link] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, t: TracebackType | None
    ) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def arm(self, fault: Fault) -> None:
        """Let the next COMMIT, or everything from now on, have a fault."""
        self._do(self._arm(fault))

    def calm(self) -> None:
        """Have no fault any more; connections that are frozen end."""
        self._do(self._calm())

    def _do(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        for link in list(self._links):
            link.cut()
        await asyncio.sleep(0.05)

    async def _arm(self, fault: Fault) -> None:
        self._fault = fault
        for link in list(self._links):
            if fault is Fault.REFUSE or (fault is Fault.CUT_LISTEN and link.listens):
                link.cut()
            elif fault is Fault.FREEZE:
                link.frozen = True

    async def _calm(self) -> None:
        self._fault = None
        for link in list(self._links):
            if link.frozen:
                link.cut()

    @property
    def refuses_to_listen(self) -> bool:
        """Whether nobody may LISTEN."""
        return self._fault is Fault.CUT_LISTEN

    def take(self, *faults: Fault) -> Fault | None:
        """The fault, if it is one of these; it happens once only."""
        if self._fault not in faults:
            return None
        fault, self._fault = self._fault, None
        return fault

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._fault is Fault.REFUSE:
            writer.transport.abort()
            return
        inner_reader, inner_writer = await asyncio.open_unix_connection(str(self._upstream))
        link = _Link(self, writer, inner_writer, frozen=self._fault is Fault.FREEZE)
        self._links.add(link)
        try:
            await asyncio.gather(link.forward(reader), link.back(inner_reader))
        finally:
            self._links.discard(link)
            link.cut()


class _Link:
    """One connection through the proxy."""

    def __init__(
        self,
        proxy: PostgresProxy,
        outer: asyncio.StreamWriter,
        inner: asyncio.StreamWriter,
        *,
        frozen: bool,
    ) -> None:
        self.frozen = frozen
        self.listens = False
        self._proxy = proxy
        self._outer = outer
        self._inner = inner
        self._cut_at_answer = False

    def cut(self) -> None:
        """End both sides, without a word."""
        self._outer.transport.abort()
        self._inner.transport.abort()

    async def forward(self, reader: asyncio.StreamReader) -> None:
        """Pass on what the server says."""
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                self.listens |= b"LISTEN" in data[:64]
                if self.listens and self._proxy.refuses_to_listen:
                    self.cut()
                    return
                # The isolation of a transaction is no end of one.
                if b"COMMIT" in data[:64].replace(b"READ COMMITTED", b""):
                    fault = self._proxy.take(
                        Fault.CUT_BEFORE_COMMIT, Fault.CUT_AFTER_COMMIT, Fault.FREEZE_COMMIT
                    )
                    if fault is Fault.CUT_BEFORE_COMMIT:
                        self.cut()
                        return
                    self._cut_at_answer |= fault is Fault.CUT_AFTER_COMMIT
                    self.frozen |= fault is Fault.FREEZE_COMMIT
                if not self.frozen:
                    self._inner.write(data)
        self._inner.close()

    async def back(self, reader: asyncio.StreamReader) -> None:
        """Pass on what the database says."""
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if self._cut_at_answer:
                    self.cut()
                    return
                if not self.frozen:
                    self._outer.write(data)
        # A host that is dead does not say either that a connection has ended.
        if not self.frozen:
            self._outer.close()

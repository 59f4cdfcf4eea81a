"""Statements on one connection to PostgreSQL, past the cursors and pipelines of the driver.

These take four times as long as all of libpq, and as long as PostgreSQL itself for a statement that
finds few rows. What remains of the driver is the conversion of values.
"""

from __future__ import annotations

import select
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

STATEMENTS = "lamia_statements"
"""Under which name they are kept with the connection."""
MAX_KNOWN = 100
"""So many statements are known for a connection: PostgreSQL keeps what it has prepared."""
CONNECTION_OK = 0
"""libpq's status of a connection that works."""
IDLE, ACTIVE = 0, 1
"""libpq's status of a connection without a transaction, and of one that runs statements."""
CANCEL_TIMEOUT_S = 5
"""How long PostgreSQL may take to accept a cancel request."""
FATAL_ERROR, PIPELINE_SYNC, PIPELINE_ABORTED = 7, 10, 11
"""libpq's status of the result of a statement that failed, of the end of a pipeline, and of a
statement that was left out, as one before it has failed."""

TYPES_CHANGED = "0A000"
"""PostgreSQL's code of a prepared statement whose columns have other types than before."""
NOT_PREPARED = "26000"
"""PostgreSQL's code of a statement that is not prepared any more: somebody has forgotten all."""
POLL_BOTH = select.POLLIN | select.POLLOUT
Key = tuple[str, tuple[int, ...]]
"""A statement, and the types of its parameters."""


class PostgresCursor:
    """The result of a statement; it has none while statements run together.

    Args:
        transformer: the driver's conversion of values.
    """

    __slots__ = ("_result", "_transformer")

    def __init__(self, transformer: Any) -> None:
        self._transformer = transformer
        self._result: Any = None

    def take(self, result: Any) -> None:
        """Take the result."""
        self._result = result
        self._transformer.set_pgresult(result)

    @property
    def description(self) -> list[tuple[str, int]]:
        """The name of each column, and the number of its type."""
        result = self._result
        return [(result.fname(n).decode(), result.ftype(n)) for n in range(result.nfields)]

    @property
    def rowcount(self) -> int:
        """How many rows were read or written."""
        return self._result.command_tuples or 0

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows."""
        return self._transformer.load_rows(0, self._result.ntuples, tuple)  # type: ignore[no-any-return] # the driver's

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """The rows, one by one."""
        for number in range(self._result.ntuples):
            yield self._transformer.load_row(number, tuple)

    def close(self) -> None:
        """Forget the result."""
        self._result = None


class PostgresStatements:
    """The statements of one connection. The driver itself must prepare none.

    Args:
        driver: the connection of the driver.
        dbapi: its module.
        prepares: whether statements that are run again are prepared.
    """

    def __init__(self, driver: Any, dbapi: Any, *, prepares: bool) -> None:
        self._driver = driver
        self._dbapi = dbapi
        self._prepares = prepares
        self._pgconn = driver.pgconn
        self._known: dict[Key | bytes, bytes | None] = {}
        """The names of those that are prepared, and None for those that were run once; the one that
        was run last is the last."""
        self._names = 0
        """How many names were given."""
        self._sent: list[tuple[Key | bytes, PostgresCursor | None]] = []
        """What was sent, in order: a statement and its cursor; a statement alone that is prepared;
        or the name of one that is forgotten."""
        self._outdated: list[bytes] = []
        """The names of statements that are to be forgotten."""
        self._is_open = False
        """Whether several run together."""
        self._interrupt: BaseException | None = None
        """What has interrupted the wait for the results, as Ctrl-C does."""

    def execute(self, statement: str, parameters: Sequence[Any]) -> PostgresCursor:
        """Run a statement, whose parameters are ``$1`` and so on."""
        if self._is_open:
            return self._send(statement, parameters)
        with self.together():
            return self._send(statement, parameters)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Run the statements of the block without an answer in between; raise their first error."""
        if self._pgconn.transaction_status == IDLE:
            # The driver knows with what a transaction begins.
            self._driver.execute("")
        self._pgconn.enter_pipeline_mode()
        self._is_open = True
        try:
            while self._outdated:
                self._deallocate(self._outdated.pop())
            try:
                yield
            except BaseException:
                with suppress(self._dbapi.Error):
                    self._finish()
                raise
            self._finish()
        finally:
            self._is_open = False
            self._sent.clear()
            if self._pgconn.transaction_status == ACTIVE:
                # It was interrupted elsewhere than in its wait: nobody knows what is still to come.
                self._pgconn.finish()
            if self._pgconn.status == CONNECTION_OK:
                self._pgconn.exit_pipeline_mode()

    def flush(self) -> None:
        """Have the database begin with what was sent so far."""
        self._pgconn.flush()

    def _send(self, statement: str, parameters: Sequence[Any]) -> PostgresCursor:
        adapt = self._dbapi.adapt
        transformer = adapt.Transformer(self._driver)
        values = transformer.dump_sequence(parameters, [adapt.PyFormat.AUTO] * len(parameters))
        key = statement, transformer.types or ()
        name = self._name(key)
        if name is None:
            self._pgconn.send_query_params(statement.encode(), values, key[1], transformer.formats)
        else:
            self._pgconn.send_query_prepared(name, values, transformer.formats)
        cursor = PostgresCursor(transformer)
        self._sent.append((key, cursor))
        return cursor

    def _name(self, key: Key) -> bytes | None:
        """The name of a prepared statement; None if it is not to be prepared."""
        if not self._prepares:
            return None
        is_known = key in self._known
        name = self._known.pop(key, None)
        if is_known and name is None:
            self._names += 1
            name = b"lamia_%d" % self._names
            self._pgconn.send_prepare(name, key[0].encode(), key[1])
            self._sent.append((key, None))
        self._known[key] = name
        if len(self._known) > MAX_KNOWN:
            oldest = self._known.pop(next(iter(self._known)))
            if oldest is not None:
                self._deallocate(oldest)
        return name

    def _deallocate(self, name: bytes) -> None:
        self._pgconn.send_query_params(b"DEALLOCATE " + name, None)
        self._sent.append((name, None))

    def _finish(self) -> None:
        """Take the results of all that was sent, if anything was; raise the first error."""
        if not self._sent:
            return
        self._pgconn.pipeline_sync()
        failure: Exception | None = None
        try:
            for (key, cursor), result in zip(self._sent, self._results(), strict=True):
                if result.status == FATAL_ERROR:
                    failure = self._failure(result, key, cursor)
                elif result.status != PIPELINE_ABORTED:
                    if cursor is not None:
                        cursor.take(result)
                elif isinstance(key, bytes):
                    # It was to be forgotten, and is not.
                    self._outdated.append(key)
                elif cursor is None:
                    # It was to be prepared, and is not.
                    self._known.pop(key, None)
        except self._dbapi.Error as lost:
            failure = failure or lost
        if self._interrupt is not None:
            interrupt, self._interrupt = self._interrupt, None
            raise interrupt
        if failure is not None:
            raise failure

    def _failure(self, result: Any, key: Key | bytes, cursor: PostgresCursor | None) -> Exception:
        """The error of what was sent."""
        error: Any = self._dbapi.errors.error_from_result(result)
        if error.sqlstate == NOT_PREPARED:
            self._known.clear()
            self._outdated.clear()
        elif cursor is None:
            self._known.pop(key, None)
        elif error.sqlstate == TYPES_CHANGED and (name := self._known.pop(key, None)) is not None:
            self._outdated.append(name)
        return error  # type: ignore[no-any-return] # the driver's

    def _results(self) -> Iterator[Any]:
        """The results, up to the end of the pipeline."""
        pgconn = self._pgconn
        while True:
            while pgconn.is_busy():
                self._wait(POLL_BOTH if pgconn.flush() else select.POLLIN)
                pgconn.consume_input()
            result = pgconn.get_result()
            if result is None:
                # It is the end of one statement, or that of the connection.
                if pgconn.status != CONNECTION_OK:
                    raise self._dbapi.OperationalError("the connection is lost")
            elif result.status == PIPELINE_SYNC:
                return
            else:
                yield result

    def _wait(self, events: int) -> None:
        poll = select.poll()
        poll.register(self._pgconn.socket, events)
        try:
            poll.poll()
        except BaseException as interrupt:
            self._interrupt = interrupt
            # Or the database would go on, and keep its locks. The results tell that it has ended.
            try:
                self._driver.cancel_safe(timeout=CANCEL_TIMEOUT_S)
            except self._dbapi.Error:
                self._pgconn.finish()

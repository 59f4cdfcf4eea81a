"""How connections to PostgreSQL are opened, set up, tried before their use, and ended."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from lamia_gql.storage.database_url import count_hosts
from lamia_gql.storage.postgres_statements import CONNECTION_OK, STATEMENTS, PostgresStatements

MAX_CONNECT_TIME_S = 10.0
"""How long the database may take to accept a connection; less if ``database_timeout`` is less."""
HOST_CONNECT_TIME_S = 2
"""How long each of several hosts may take. libpq knows no shorter time."""
MAX_PING_TIME_S = 5.0
"""How long an idle connection may take to answer a test; less if ``database_timeout`` is less."""
MAX_SILENCE_S = 8.0
"""After how long a host that says nothing, not even that it is there, is taken for dead; likewise.
A running statement may take longer: its host confirms meanwhile that it is there."""
KEEPALIVE_PROBES = 3
IN_TRANSACTION = 2
"""libpq's status of a transaction in which no statement has failed."""
TEXT_FORMAT = 0
"""The driver's number of the format in which the database sends values as text."""
READ_COMMITTED, REPEATABLE_READ = 2, 3
"""The driver's numbers of these isolations."""
WAIT_FOR_STANDBY = "SyncRepWaitForLSN"
"""The function of PostgreSQL that waits for synchronous standbys, and warns if that is cancelled.
It is named in each version and language."""
ENCODING = {"client_encoding": "utf8"}
"""What always applies to a connection, whatever the address, the environment or the user says."""


class Session:
    """What every transaction on the connections of an engine begins with.

    Args:
        parameters: run-time parameters of the database.
        defaults: likewise, where the address gives no others as its ``options``. A pooler passes
            none of these on.
        reads: whether a transaction sees one state of the database, and cannot write.
        is_pooled: whether a pooler such as PgBouncer gives each transaction another connection to
            the database: then no parameter outlives a transaction, nor does a prepared statement.
        timeout_s: the setting ``database_timeout``.
    """

    def __init__(
        self,
        parameters: Mapping[str, str],
        defaults: Mapping[str, str],
        *,
        reads: bool,
        is_pooled: bool,
        timeout_s: float,
    ) -> None:
        self._parameters = parameters
        self._defaults = defaults
        self._reads = reads
        self._is_pooled = is_pooled
        self._timeout_s = timeout_s
        self._limit_s = min(MAX_PING_TIME_S, timeout_s / 3)
        isolation = "REPEATABLE READ READ ONLY" if reads else "READ COMMITTED"
        begin = [f"BEGIN ISOLATION LEVEL {isolation}"]
        if is_pooled:
            every = {**defaults, **parameters}
            begin += [f"SET LOCAL {name} = '{value}'" for name, value in every.items()]
        self._begin = "; ".join(begin).encode()

    def connect_arguments(self, url: URL) -> dict[str, Any]:
        """The arguments with which a connection to this address is opened."""
        given = ({}, {}) if self._is_pooled else (self._parameters, self._defaults)
        # With a ROLLBACK, the driver forgets what it has prepared, and ours with it.
        return connect_arguments(url, self._timeout_s, *given) | {"prepare_threshold": None}

    def set_up(self, engine: Engine) -> None:
        """Set up and try the connections of an engine."""
        driver = engine.dialect.loaded_dbapi
        event.listen(engine, "connect", partial(self._prepare, driver))
        event.listen(engine, "checkout", partial(self._check, driver))

    def _prepare(self, driver: Any, connection: Any, record: ConnectionPoolEntry) -> None:
        # The driver would make an object of each, of which we make the text again.
        adapters = connection.adapters
        text = adapters.get_loader(adapters.types["text"].oid, TEXT_FORMAT)
        adapters.register_loader("uuid", text)
        prepares = not self._is_pooled
        record.info[STATEMENTS] = PostgresStatements(connection, driver, prepares=prepares)
        # Whatever the database has as default: who locks a task must see what others have written.
        connection.isolation_level = REPEATABLE_READ if self._reads else READ_COMMITTED
        if self._reads:
            # Not as default of the session, by which libpq would take it for that of a standby.
            connection.read_only = True

    def _check(
        self, driver: Any, connection: Any, record: ConnectionPoolEntry, _proxy: object
    ) -> None:
        # A new connection needs no test; the driver begins its transaction, if it may be plain.
        is_used = record.info.setdefault("used", False)
        if (is_used or self._is_pooled) and not self._begins(connection.pgconn):
            cut(connection)
            if is_used:
                raise InvalidatePoolError("the connection does not answer")
            reason = connection.pgconn.get_error_message().strip()
            raise driver.OperationalError(reason or "the database began no transaction in time")
        record.info["used"] = True

    def _begins(self, pgconn: Any) -> bool:
        # The driver waits without a limit, and a dead connection is silent for ever.
        deadline = time.monotonic() + self._limit_s
        try:
            pgconn.send_query(self._begin)
            poll = select.poll()
            poll.register(pgconn.socket, select.POLLIN)
            while True:
                while not pgconn.is_busy():
                    if pgconn.get_result() is None:
                        is_open: bool = pgconn.status == CONNECTION_OK
                        return is_open and pgconn.transaction_status == IN_TRANSACTION
                left_s = deadline - time.monotonic()
                if left_s <= 0 or not poll.poll(1000 * left_s):
                    return False
                pgconn.consume_input()
        except Exception:  # of the driver, which is not a dependency
            return False


def connect_arguments(
    url: URL, timeout_s: float, parameters: Mapping[str, str], defaults: Mapping[str, str]
) -> dict[str, Any]:
    """The arguments with which every connection to PostgreSQL is opened.

    A connection whose other end is gone, without a word, fails after about ``timeout_s``, or
    :data:`MAX_SILENCE_S` if that is less. Of several hosts, the first one is used that can write.
    What the address itself says takes precedence, except for ``parameters`` and the encoding: the
    program works with UTF-8.

    Args:
        url: the address of the database.
        timeout_s: the setting ``database_timeout``.
        parameters: run-time parameters of the database.
        defaults: likewise, where the address gives no others.
    """
    silence_s = min(timeout_s, MAX_SILENCE_S)
    interval_s = max(1, round(silence_s / (KEEPALIVE_PROBES + 1)))
    made: dict[str, Any] = {
        # At least two seconds: libpq knows no less.
        "connect_timeout": max(2, int(min(timeout_s, MAX_CONNECT_TIME_S))),
        "keepalives": 1,
        "keepalives_idle": interval_s,
        "keepalives_interval": interval_s,
        "keepalives_count": KEEPALIVE_PROBES,
        "tcp_user_timeout": round(1000 * silence_s),
    }
    if count_hosts(url) > 1:
        made["connect_timeout"] = HOST_CONNECT_TIME_S
        made["target_session_attrs"] = "read-write"
    made = {name: value for name, value in made.items() if name not in url.query} | ENCODING
    given = url.query.get("options", "")
    # Of two values of a parameter, PostgreSQL takes the later one.
    options = [
        *_options(defaults),
        *([given] if isinstance(given, str) else given),
        *_options(parameters),
    ]
    if any(options):
        made["options"] = " ".join(options).strip()
    return made


def _options(parameters: Mapping[str, str]) -> list[str]:
    return [f"-c {name}={value}" for name, value in parameters.items()]


@contextmanager
def collected_warnings(driver: Any) -> Iterator[list[str]]:
    """What a connection warns of during the block: standbys that it did not wait for."""
    found: list[str] = []

    def take(notice: Any) -> None:
        if notice.source_function == WAIT_FOR_STANDBY:
            found.append(notice.message_primary)

    driver.add_notice_handler(take)
    try:
        yield found
    finally:
        driver.remove_notice_handler(take)


def duplicate_socket(driver: Any) -> int:
    """A descriptor of the connection's socket to PostgreSQL; the caller must close it."""
    return os.dup(driver.pgconn.socket)


def cut_socket(descriptor: int) -> None:
    """End the connection of this socket: a thread that waits for its answer gets an error."""
    with socket.socket(fileno=os.dup(descriptor)) as end:
        with suppress(OSError):  # it has ended already
            end.shutdown(socket.SHUT_RDWR)


def cut(driver: Any) -> None:
    """End a connection to PostgreSQL that no other thread closes meanwhile."""
    if not driver.closed:
        cut_socket(driver.pgconn.socket)

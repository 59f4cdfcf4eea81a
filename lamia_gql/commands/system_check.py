"""``lamia-gql check``: what is wrong with settings, database, disk and clocks."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from lamia_gql.commands.failures import InvalidSettingsError, database_problem, read_settings
from lamia_gql.domain.settings import Settings
from lamia_gql.graph.limits.persisted_documents import UnusableDocuments
from lamia_gql.live.pg_listener import hears
from lamia_gql.server.run import TooManyWorkers, check_documents, check_workers
from lamia_gql.storage import migrations
from lamia_gql.storage.database import Database
from lamia_gql.storage.database_url import parse_url
from lamia_gql.storage.free_space import read_space
from lamia_gql.storage.inspection import (
    Node,
    compare_clocks,
    name_server,
    read_committed,
    read_node,
)
from lamia_gql.storage.read_replica import ReadReplica
from lamia_gql.storage.sqlite_file import access_problem, database_path
from lamia_gql.storage.trial_write import write_on_trial

MIN_FREE_BYTES = 1_000_000_000
"""With less free disk space, it is time to act."""
MAX_CLOCK_DIFFERENCE = timedelta(seconds=1)
"""Of two machines that synchronise their clocks, they differ by far less."""
REPLAY_POLL_S = 0.05
MEGABYTE = 1_000_000


class Finding(NamedTuple):
    """One thing that was checked."""

    subject: str
    sentence: str
    is_wrong: bool = False

    @property
    def line(self) -> str:
        """A line for the operator."""
        return f"{'WRONG' if self.is_wrong else 'ok':5}  {self.subject:9}  {self.sentence}"


class _Wrong(Exception):  # noqa: N818  (it says what is the case)
    """Something is wrong; a sentence says what."""


def check(config: str | None, database_url: str | None) -> Iterator[Finding]:
    """Check one thing after the other; what depends on one that is wrong is left out.

    Args:
        config: path of a TOML file with settings; defaults to LAMIA_CONFIG.
        database_url: address of the database, in place of that of the settings.
    """
    try:
        settings = read_settings(config, database_url=database_url)
    except InvalidSettingsError as error:
        yield Finding("settings", str(error), is_wrong=True)
        return
    yield _find("settings", lambda: _settings(settings))
    path = database_path(parse_url(settings.database_url))
    if path is not None and not path.exists():
        place = _find("database", lambda: _missing_file(settings))
        yield place
        if not place.is_wrong:
            yield _find("disk", lambda: _disk(settings, 0))
        return
    with ExitStack() as stack:
        try:
            database = Database(settings)
            stack.callback(database.close)
        except Exception as error:
            problem = database_problem(error, settings)
            if problem is None:
                raise
            yield Finding("database", problem, is_wrong=True)
            return
        reached = _find("database", lambda: _server(settings, database))
        yield reached
        if reached.is_wrong:
            return
        revision = _find("revision", lambda: _revision(database))
        yield revision
        if not revision.is_wrong:
            writing = _find("writing", lambda: _guarded(settings, lambda: _write(database)))
            yield writing
            if database.has_other_servers and not writing.is_wrong:
                yield _find("listening", lambda: _guarded(settings, lambda: _listen(database)))
                for replica in database.sources.replicas:
                    yield _find("replica", partial(_replica, settings, database, replica))
        yield _find("disk", lambda: _disk(settings, _size(database)))
        yield _find("clocks", lambda: _clocks(database, with_tasks=not revision.is_wrong))


def _find(subject: str, ask: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, ask())
    except _Wrong as wrong:
        return Finding(subject, str(wrong), is_wrong=True)


def _guarded(settings: Settings, ask: Callable[[], Any], name: str = "The database") -> Any:
    try:
        return ask()
    except Exception as error:
        problem = database_problem(error, settings, name)
        if problem is None:
            raise
        raise _Wrong(problem) from error


def _settings(settings: Settings) -> str:
    try:
        check_workers(settings)
        check_documents(settings)
    except (TooManyWorkers, UnusableDocuments) as error:
        raise _Wrong(str(error)) from error
    return "They are valid."


def _missing_file(settings: Settings) -> str:
    url = parse_url(settings.database_url)
    problem = access_problem(url)
    if problem is not None:
        raise _Wrong(f"The database {url.database} can't be made: {problem}.")
    return f"{url.database} will be made when the server starts."


def _server(settings: Settings, database: Database) -> str:
    def ask() -> str:
        with database.engine.connect() as connection:
            migrations.check_server(connection)
            return name_server(connection)

    found: str = _guarded(settings, ask)
    shown = parse_url(settings.database_url).set(drivername=database.engine.dialect.name)
    return f"{found} answers at {shown.render_as_string()}."


def _revision(database: Database) -> str:
    found, known = database.read_blocking(migrations.current), migrations.HEAD
    if found == known:
        return f"The database is at revision {known}."
    if database.read_blocking(migrations.is_usable):
        return f"The database is at revision {found} of a later version, which accepts this one."
    if found is not None and found not in migrations.revisions():
        raise _Wrong(str(migrations.UnknownRevision(found)))
    if database.has_other_servers:
        raise _Wrong(str(migrations.NotMigrated()))
    raise _Wrong(
        f"The database is at revision {found or 'base'}; the server migrates it to {known} when it"
        " starts."
    )


def _write(database: Database) -> str:
    database.write_blocking(write_on_trial)
    return "A small write was committed."


def _listen(database: Database) -> str:
    if not asyncio.run(hears(database)):
        raise _Wrong(
            "A notification of the database has not arrived: listen_database_url must be the"
            " address of the same database, and not of a pooler in transaction mode."
        )
    return "A notification of the database has arrived."


def _replica(settings: Settings, database: Database, replica: ReadReplica) -> str:
    name, limit_s = replica.name, settings.max_replica_lag

    def read() -> Node:
        with replica.engine.connect() as connection:
            return read_node(connection)

    def ask() -> Node:
        found: Node = _guarded(settings, read, name)
        return found

    primary = database.read_blocking(read_node)
    committed = database.read_blocking(read_committed)
    begin = time.monotonic()
    found = ask()
    if found.system != primary.system:
        raise _Wrong(f"{name} is not a copy of the database: it belongs to another PostgreSQL.")
    if found.started_at == primary.started_at:
        return f"{name} is the primary now; queries are read from it when it is a replica."
    while found.replayed is None or found.replayed < committed:
        if found.replayed is None:
            raise _Wrong(f"{name} is not a replica: it does not follow the primary any more.")
        if time.monotonic() - begin > limit_s:
            raise _Wrong(
                f"{name} is more than {limit_s:g} s behind the primary, and no query is read from"
                " it."
            )
        time.sleep(REPLAY_POLL_S)
        found = ask()
    return f"{name} has everything that was committed {time.monotonic() - begin:.2f} s ago."


def _size(database: Database) -> int:
    return database.read_blocking(read_space).total


def _disk(settings: Settings, size: int) -> str:
    shown = f"The database has {size / MEGABYTE:,.1f} MB"
    path = database_path(parse_url(settings.database_url))
    if path is None:
        return f"{shown}; the disk of PostgreSQL can't be seen from here."
    free = shutil.disk_usage(path.absolute().parent).free
    sentence = f"{shown}; {free / MEGABYTE:,.0f} MB are free beside it."
    if free < MIN_FREE_BYTES:
        raise _Wrong(f"{sentence} When the disk is full, no event can be stored.")
    return sentence


def _clocks(database: Database, *, with_tasks: bool) -> str:
    clocks = database.read_blocking(lambda c: compare_clocks(c, with_tasks=with_tasks))
    ahead_s = clocks.ahead.total_seconds()
    if abs(clocks.ahead) > MAX_CLOCK_DIFFERENCE + clocks.uncertainty / 2:
        word = "ahead of" if ahead_s > 0 else "behind"
        raise _Wrong(
            f"The clock of the database is {abs(ahead_s):,.1f} s {word} that of this machine:"
            " synchronise both, by NTP."
        )
    now = datetime.now(UTC)
    if clocks.latest is not None and clocks.latest > now + MAX_CLOCK_DIFFERENCE:
        late_s = (clocks.latest - now).total_seconds()
        raise _Wrong(
            f"The latest task was created {late_s:,.0f} s in the future: the clock of this machine,"
            " or that of another server, is or was wrong."
        )
    if not database.has_other_servers:
        return "The latest task is in the past."
    return f"The clock of the database differs by {abs(ahead_s):.2f} s from that of this machine."

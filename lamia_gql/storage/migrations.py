"""Bringing the database schema to the revision that this version of the code expects.

Alembic is imported only where there is something to do: it would take a tenth of each start.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from lamia_gql.storage.accepted_revisions import accepts, note_accepted
from lamia_gql.storage.database_url import DatabaseTooOld, UnusableDatabase
from lamia_gql.storage.engine import begin_write, is_sqlite
from lamia_gql.storage.sqlite_file import exclusive_use

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import Script

HEAD = "2026_11_28_partitions"
"""The revision that this code expects: the last one in ``alembic/versions``."""
ADVISORY_LOCK_ID = 4_962_101
"""An arbitrary number: the PostgreSQL lock that lets one client migrate at a time."""
SERVER_LOCK_ID = 4_962_102
"""Likewise: the lock that every server shares, and that a migration has alone."""
MIN_POSTGRES = (13,)


class NotMigrated(UnusableDatabase):
    """The database is not at the revision that this code expects."""

    def __init__(self) -> None:
        super().__init__(
            "The database is not at the revision of this version: run `lamia-gql migrate`."
        )


class BeingMigrated(UnusableDatabase):
    """A migration runs during which no server may use the database."""

    def __init__(self) -> None:
        super().__init__("The database is being migrated: start the server when that is done.")


class UnknownRevision(UnusableDatabase):
    """The database is at a revision of another, usually newer, version."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"The database is at revision {revision}, which this version does not know:"
            " use the version that made it, or a newer one."
        )


class NoSuchRevision(UnusableDatabase):
    """The revision that was asked for does not exist."""

    def __init__(self, revision: str, known: Sequence[str]) -> None:
        super().__init__(
            f"There is no revision {revision}; those of this version are base,"
            f" {', '.join(known)}, and head, which is the last one."
        )


class ServersRunning(UnusableDatabase):
    """Servers use the database, whose tables can't be changed meanwhile."""

    def __init__(self) -> None:
        super().__init__(
            "A server is using the database: stop all servers before you migrate it. In"
            " pg_stat_activity, they are the connections of lamia-gql listener."
        )


class UnsuitableEncoding(UnusableDatabase):
    """The texts of the database are not in UTF-8."""

    def __init__(self, encoding: str) -> None:
        super().__init__(
            f"The encoding of the database is {encoding}, but names and texts need UTF8: create"
            " another database with CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0."
        )


def _scripts() -> Path:
    package = Path(__file__).parents[1]
    shipped = package / "_alembic"
    return shipped if shipped.is_dir() else package.parent / "alembic"


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, on an open connection where one is given."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(_scripts()))
    made.attributes["connection"] = connection
    return made


def revisions() -> list[str]:
    """All revisions that this code knows, oldest first; the history has no branches."""
    return [script.revision for script in _scripts_in_order()]


def _scripts_in_order() -> list[Script]:
    from alembic.script import ScriptDirectory

    return [*ScriptDirectory.from_config(config()).walk_revisions()][::-1]


def current(connection: Connection) -> str | None:
    """The revision of the database; None where it has no tables of ours."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def is_usable(connection: Connection) -> bool:
    """Whether servers of this version may use the database.

    That is so at their revision, and at those of later versions that accept them.
    """
    return current(connection) == HEAD or accepts(connection, HEAD)


def removes_data(engine: Engine, revision: str) -> bool:
    """Whether :func:`migrate` would go down to this revision. Raises as it does."""
    with engine.connect() as connection:
        if revision == "head" and is_usable(connection):
            return False
        here, target = _positions(connection, revision)
    return target < here


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the database to a revision, up or down, all or nothing.

    May run in several processes at the same time; while a server uses the database, only to apply
    migrations that are ``ONLINE``. Nothing happens if a later version has migrated it that accepts
    this one. Raises :class:`lamia_gql.storage.database_url.UnusableDatabase`.
    """
    with ExitStack() as stack:
        connection = stack.enter_context(begin_write(engine))
        check_server(connection)
        if not is_sqlite(engine):
            connection.execute(
                text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK_ID}
            )
        if revision == "head" and is_usable(connection):
            return
        here, target = _positions(connection, revision)
        if target == here:
            return
        if is_sqlite(engine):
            stack.enter_context(exclusive_use(engine.url))
        elif not _are_online(here, target) and not connection.scalar(
            text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": SERVER_LOCK_ID}
        ):
            raise ServersRunning
        from alembic import command

        move = command.downgrade if target < here else command.upgrade
        move(config(connection), revision)
        note_accepted(connection, _accepted_at(target))


def _are_online(here: int, target: int) -> bool:
    """Whether servers may run during all migrations between these positions, and go on then."""
    return here < target and all(map(_is_online, _scripts_in_order()[here:target]))


def _is_online(script: Script) -> bool:
    return getattr(script.module, "ONLINE", False)


def _accepted_at(position: int) -> list[str]:
    """The earlier revisions whose servers may use a database at this position."""
    scripts = _scripts_in_order()[:position]
    found = []
    while len(scripts) > 1 and _is_online(scripts.pop()):
        found.append(scripts[-1].revision)
    return found


def _positions(connection: Connection, revision: str) -> tuple[int, int]:
    """How many revisions the database has, and how many it is to have."""
    known = revisions()
    here = current(connection)
    if here not in (None, *known):
        raise UnknownRevision(str(here))
    if revision not in ("head", "base", *known):
        raise NoSuchRevision(revision, known)
    target = {"head": len(known), "base": 0}.get(revision)
    if target is None:
        target = known.index(revision) + 1
    return (known.index(here) + 1 if here else 0), target


def prepare(engine: Engine) -> None:
    """Check that the server can use the database; migrate a SQLite file in place.

    Raises :class:`lamia_gql.storage.database_url.UnusableDatabase`: as :class:`NotMigrated` for a
    PostgreSQL that needs ``lamia-gql migrate``, and as :class:`BeingMigrated` for one that is not
    to be used now.
    """
    if is_sqlite(engine):
        migrate(engine)
        return
    with engine.connect() as connection:
        check_server(connection)
        # Its revision is still the former one.
        if not connection.scalar(
            text("SELECT pg_try_advisory_xact_lock_shared(:key)"), {"key": SERVER_LOCK_ID}
        ):
            raise BeingMigrated
        if not is_usable(connection):
            raise NotMigrated


def check_server(connection: Connection) -> None:
    """Raise :class:`UnusableDatabase` for a PostgreSQL that is too old, or not in UTF-8.

    The version of SQLite is checked when the engine is made.
    """
    if connection.dialect.name == "postgresql":
        version = connection.dialect.server_version_info or ()
        if version < MIN_POSTGRES:
            raise DatabaseTooOld("PostgreSQL", version, MIN_POSTGRES, "Upgrade the database.")
        encoding = connection.scalar(text("SHOW server_encoding"))
        if encoding != "UTF8":
            raise UnsuitableEncoding(str(encoding))

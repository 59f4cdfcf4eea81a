"""Bringing the database schema to the revision that this version of the code expects."""

from __future__ import annotations

from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, Engine, text

from alembic import command
from lamia_gql.storage.engine import begin_write, is_sqlite

ADVISORY_LOCK_ID = 4_962_101
"""An arbitrary number: the PostgreSQL lock that lets one client migrate at a time."""


class NotMigrated(RuntimeError):  # noqa: N818  (it says what is the case)
    """The database is not at the revision that this code expects."""

    def __init__(self) -> None:
        super().__init__(
            "The database is not at the revision of this version: run `lamia-gql migrate`."
        )


class UnknownRevision(RuntimeError):  # noqa: N818  (it says what is the case)
    """The database is at a revision of another, usually newer, version."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"The database is at revision {revision}, which this version does not know:"
            " use the version that made it, or a newer one."
        )


class UnsuitableEncoding(RuntimeError):  # noqa: N818  (it says what is the case)
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
    made = Config()
    made.set_main_option("script_location", str(_scripts()))
    made.attributes["connection"] = connection
    return made


def head() -> str:
    """The revision that this code expects."""
    revision = ScriptDirectory.from_config(config()).get_current_head()
    assert revision is not None
    return revision


def _revisions() -> list[Script]:
    """All revisions, oldest first; the history has no branches."""
    return list(ScriptDirectory.from_config(config()).walk_revisions())[::-1]


def current(connection: Connection) -> str | None:
    """The revision of the database; None where it has no tables of ours."""
    return MigrationContext.configure(connection).get_current_revision()


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the database to a revision, up or down, all or nothing.

    May run in several processes at the same time. Raises :class:`UnknownRevision` and
    :class:`UnsuitableEncoding`.
    """
    with begin_write(engine) as connection:
        _check_encoding(connection)
        if not is_sqlite(engine):
            connection.execute(
                text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK_ID}
            )
        here = current(connection)
        known = [script.revision for script in _revisions()]
        for name in (here, revision):
            if name not in (None, "head", "base", *known):
                raise UnknownRevision(str(name))
        target = {"head": len(known), "base": 0}.get(revision)
        if target is None:
            target = known.index(revision) + 1
        if target < (known.index(here) + 1 if here else 0):
            command.downgrade(config(connection), revision)
        else:
            command.upgrade(config(connection), revision)


def prepare(engine: Engine) -> None:
    """Check that the server can use the database; migrate a SQLite file in place.

    Raises :class:`NotMigrated` for a PostgreSQL that needs ``lamia-gql migrate``,
    :class:`UnknownRevision`, and :class:`UnsuitableEncoding`.
    """
    if is_sqlite(engine):
        migrate(engine)
        return
    with engine.connect() as connection:
        _check_encoding(connection)
        if current(connection) != head():
            raise NotMigrated


def _check_encoding(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        encoding = connection.scalar(text("SHOW server_encoding"))
        if encoding != "UTF8":
            raise UnsuitableEncoding(str(encoding))

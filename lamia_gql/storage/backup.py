"""Copying a SQLite database while servers use it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from lamia_gql.domain.settings import Settings
from lamia_gql.storage.database_url import parse_url
from lamia_gql.storage.engine import create_engine
from lamia_gql.storage.sqlite_file import require_file

PART_SUFFIX = ".part"
"""What the name of a copy ends with until it is complete."""


class NoBackup(ValueError):  # noqa: N818  (it says what is the case)
    """A backup can't be made so; a sentence for the operator says why."""


class BackupFailed(RuntimeError):  # noqa: N818  (it says what is the case)
    """The copy could not be written, or is damaged; a sentence for the operator says why."""


def back_up(settings: Settings, path: Path) -> int:
    """Copy the database of the settings to a new file, as it is at one moment; its size in bytes.

    Writers go on meanwhile. The file has its name only when it is complete, checked and on the
    disk. Raises :class:`NoBackup`, :class:`BackupFailed`, and what the database raises.
    """
    url = parse_url(settings.database_url)
    if url.get_backend_name() != "sqlite":
        # Of a password, "set" says that it is not given, and leaves it.
        address = url._replace(drivername="postgresql", password=None).render_as_string()
        raise NoBackup(
            "PostgreSQL has its own tool, which may run while servers do:"
            f" pg_dump --format=custom --file={path} '{address}'"
        )
    require_file(url)
    if path.exists():
        raise NoBackup(f"There is a file {path} already.")
    part = path.with_name(path.name + PART_SUFFIX)
    try:
        # Before SQLite makes it, so that nobody else can read it.
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise NoBackup(f"The file {part} can't be made: {error.strerror}.") from error
    engine = create_engine(settings)
    try:
        with engine.connect() as connection:
            _copy(connection.connection.driver_connection, part)
        _sync(part)
        part.rename(path)
        _sync(path.absolute().parent)
    except (OSError, sqlite3.Error) as error:
        raise BackupFailed(f"The copy {part} could not be written: {error}.") from error
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
        engine.dispose()
    return path.stat().st_size


def _copy(source: Any, part: Path) -> None:
    with closing(sqlite3.connect(part)) as target:
        # All at once: between two parts, a write of another process would have it begin anew.
        source.backup(target)
        [(found,)] = target.execute("PRAGMA quick_check(1)").fetchall()
        if found != "ok":
            raise BackupFailed(f"The database is damaged: {found}. No backup was made.")


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)

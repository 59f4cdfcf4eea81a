"""The recorder: the stored state depends only on the set of events."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from lamia_gql.domain.errors import Unavailable, UserError
from lamia_gql.domain.lifecycle import Occurrence
from lamia_gql.domain.settings import load
from lamia_gql.ingest import event_batch
from lamia_gql.ingest.event_batch import Outcome
from lamia_gql.ingest.event_input import NewEvent
from lamia_gql.ingest.recorder import Recorder
from lamia_gql.ingest.recount import recount
from lamia_gql.ingest.task_input import ProcessSpec
from lamia_gql.storage.database import Database
from lamia_gql.storage.engine import create_engine
from lamia_gql.storage.migrations import migrate
from lamia_gql.storage.models import Event, Process, Task, Usage
from lamia_gql.storage.rows import JOB_COLUMNS, JobRow
from tests.support.new_events import ARRAY, create, event, occurrences_of
from tests.support.strategies import job_histories
from tests.support.waiting import until

COUNTERS = (
    "submitted",
    "held",
    "running",
    "done",
    "failed",
    "terminated",
    "reporting",
    "progress_sum",
)


async def submit(database: Database, requests: Sequence[list[NewEvent]]) -> list[Any]:
    """The results of several concurrent requests."""
    recorder = Recorder(database, batch_size=7, max_waiting=1000)
    await recorder.start()
    try:
        return await asyncio.gather(
            *(recorder.record(request, number) for number, request in enumerate(requests)),
            return_exceptions=True,
        )
    finally:
        await recorder.stop()


def stored_state(database: Database, task: str) -> tuple[list[Any], ...]:
    """The counters of a task's processes, its jobs without their keys, and its usage."""
    columns = [getattr(Process, name) for name in (*COUNTERS, "state", "started_at", "events")]
    with database.engine.connect() as connection:
        task_id = connection.scalar(select(Task.id).where(Task.name == task))
        processes = connection.execute(
            select(*columns).where(Process.task_id == task_id).order_by(Process.number)
        )
        jobs = connection.execute(
            select(*JOB_COLUMNS).where(JOB_COLUMNS[0] == task_id).order_by(*JOB_COLUMNS[:3])
        )
        usage = connection.execute(
            select(Usage.process_number, Usage.measure, Usage.bucket, Usage.jobs, Usage.total)
            .where(Usage.task_id == task_id, Usage.jobs > 0)
            .order_by(Usage.process_number, Usage.measure, Usage.bucket)
        )
        return (
            [tuple(p) for p in processes],
            [JobRow._make(job)[1:] for job in jobs],
            [tuple(bucket) for bucket in usage],
        )


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(job_histories, min_size=1, max_size=ARRAY), st.randoms(use_true_random=False))
async def test_order_duplication_and_split_do_not_matter(
    database: Database, jobs: list[list[Occurrence]], chance: random.Random
) -> None:
    """The same events in one request, or in any pieces, order and repetition: the same is kept.

    Nor does it matter whether they are sent to the database in parts.
    """
    told = [(index, told) for index, life in enumerate(jobs) for told in life]
    at_once, in_pieces = create(database), create(database)
    await submit(database, [[event(at_once, index, occurrence) for index, occurrence in told]])

    replayed = told + (chance.choices(told, k=len(told)) if told else [])
    chance.shuffle(replayed)
    requests: list[list[NewEvent]] = [[] for _ in range(chance.randint(1, 6))]
    for index, occurrence in replayed:
        chance.choice(requests).append(event(in_pieces, index, occurrence))
    with patch.object(event_batch, "PART", chance.randint(1, 7)):
        answers = await submit(database, requests)

    outcomes = [outcome for answer in answers for outcome in answer]
    assert len(outcomes) == len(replayed)
    assert sum(not outcome.duplicate for outcome in outcomes) == len(told)
    assert stored_state(database, in_pieces) == stored_state(database, at_once)
    assert list(recount(database, [at_once, in_pieces])) == []


@pytest.mark.parametrize("part", [1, 2, 250])
async def test_new_events_among_stored_ones(
    database: Database, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events that are stored already take no numbers, and change nothing."""
    monkeypatch.setattr(event_batch, "PART", part)
    task = create(database)
    old, new = occurrences_of("STARTED", "BEAT"), occurrences_of("BEAT", "DONE")
    await submit(database, [[event(task, 1, told) for told in old]])
    mixed = [old[0], new[0], old[1], new[1], new[0]]
    (answer,) = await submit(database, [[event(task, 1, told) for told in mixed]])
    assert [(outcome.event.seq, outcome.duplicate) for outcome in answer] == [
        (1, True),
        (3, False),
        (2, True),
        (4, False),
        (3, True),
    ]
    assert list(recount(database, [task])) == []


async def test_stored_events_are_found_by_their_ids(postgres_url: str) -> None:
    """PostgreSQL does not read all events of a task for each of them, even without statistics."""
    database = Database(load(database_url=postgres_url))
    migrate(database.engine)
    task = create(database)
    few = [event(task, 1, told) for told in occurrences_of(*["BEAT"] * 600)]
    await submit(database, [few])
    for _ in range(12):  # so often that PostgreSQL keeps the plan
        await submit(database, [few[:1]])
    many = [event(task, 1, told) for told in occurrences_of(*["BEAT"] * 10_000)]
    await submit(database, [many])
    (answer,) = await submit(database, [many[-300:]])
    assert all(outcome.duplicate for outcome in answer)
    database.close()  # a connection reports its statistics at its end, if not before

    def entries_read() -> int:
        found = connection.scalar(
            text("SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'event_r0'")
        )
        return int(found or 0)

    engine = create_engine(load(database_url=postgres_url))
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        until(lambda: entries_read() >= 300, "no statistics of the indexes")
        assert entries_read() < 100_000
    engine.dispose()


async def test_recount_finds_and_repairs(database: Database) -> None:
    """What was tampered with is found, named and put right by the events."""
    task = create(database, ProcessSpec("alone"))
    await submit(database, [[event(task, 1, o)] for o in occurrences_of("STARTED", "DONE")])
    before = stored_state(database, task)
    with database.engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("UPDATE process SET done = 0, progress_sum = '5'")
        connection.exec_driver_sql("UPDATE job SET state = 'FAILED'")
    found = list(recount(database))
    assert f"{task}/array: done was 0, is 1" in found
    assert f"{task}/array[1]: state was FAILED, is DONE" in found
    assert stored_state(database, task) == before
    assert list(recount(database)) == []


async def test_recount_brings_readings_of_earlier_versions_up_to_date(database: Database) -> None:
    """They took no number from an end; what is stored is then what the events say today."""
    task = create(database)
    (done,) = occurrences_of("DONE")
    await submit(database, [[event(task, 1, done._replace(progress=9.0))]])
    now = stored_state(database, task)
    with database.engine.connect() as connection, connection.begin():
        connection.exec_driver_sql(
            "UPDATE process SET progress_sum = '0', state = 'RUNNING' WHERE number = 0"
        )
        connection.exec_driver_sql(
            "UPDATE job SET progress = NULL, reading_attempt = NULL, reading_at = NULL,"
            " reading_id = NULL, reading_value = NULL"
        )
    found = list(recount(database))
    assert f"{task}/array[1]: progress was None, is 9.0" in found
    assert f"{task}/array: state was RUNNING, is SUCCEEDED" in found
    assert stored_state(database, task) == now
    assert list(recount(database)) == []


async def test_one_bad_event_does_not_cost_the_good_ones(database: Database) -> None:
    """Each event of a request has its own result, in order."""
    task = create(database)
    first, second, third = occurrences_of("STARTED", "DONE", "BEAT")
    [answer] = await submit(
        database, [[event(task, 0, first), event(task, 99, second), event("nobody", 0, third)]]
    )
    assert isinstance(answer[0], Outcome)
    assert [result.code for result in answer[1:] if isinstance(result, UserError)] == [
        "INDEX_OUT_OF_RANGE",
        "TASK_NOT_FOUND",
    ]
    assert len(stored_state(database, task)[1]) == 1


@pytest.mark.parametrize("part", [1, 250])
async def test_an_event_that_the_database_refuses_fails_alone(
    database: Database, part: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that the database itself refuses fails alone, though it shared a transaction."""
    monkeypatch.setattr(event_batch, "PART", part)
    task = create(database)
    good = [[event(task, 0, told)] for told in occurrences_of(*["BEAT"] * 5)]
    (bad,) = occurrences_of("BEAT")
    poison = replace(event(task, 0, bad), attempt=2**70)
    answers = await submit(database, [*good[:3], [poison], *good[3:]])
    assert isinstance(answers[3], Unavailable)
    assert sum(isinstance(answer, list) for answer in answers) == 5
    with database.engine.connect() as connection:
        assert len(connection.execute(select(Event.id)).all()) == 5
    assert "could not be stored" in caplog.text


async def test_a_full_recorder_is_busy(database: Database) -> None:
    """The queue is bounded: what does not fit is told so, and nothing of it is stored."""
    task = create(database)
    requests = [
        [event(task, 0, told) for told in occurrences_of(*["BEAT"] * 400)] for _ in range(4)
    ]
    answers = await submit(database, requests)
    refused = [answer for answer in answers if isinstance(answer, Unavailable)]
    assert [error.code for error in refused] == ["BUSY", "BUSY"]
    with database.engine.connect() as connection:
        assert len(connection.execute(select(Event.id)).all()) == 800


async def test_times_are_utc_on_the_way_back(database: Database) -> None:
    """Whatever zone a time came in, it is read as UTC, aware, to the microsecond."""
    task = create(database)
    (told,) = occurrences_of("STARTED")
    at = datetime.fromisoformat("2026-11-23T13:00:00.123456+05:30")
    await submit(database, [[event(task, 0, told._replace(time=at))]])
    with database.engine.connect() as connection:
        (sent_at,) = connection.execute(select(Event.sent_at)).one()
    assert sent_at == at
    assert sent_at.tzinfo is UTC

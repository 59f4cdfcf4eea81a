"""Rows that are written in bulk are read again as they were, on both engines."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, select

from lamia_gql.client.event import new_id
from lamia_gql.domain.lifecycle import EventClass, Occurrence, summarise
from lamia_gql.domain.settings import load
from lamia_gql.ingest.event_ids import new_event_id
from lamia_gql.ingest.event_statements import (
    INSERT_EVENTS,
    TASK_TOTALS,
    UPDATE_TASKS,
    UPSERT_JOBS,
)
from lamia_gql.ingest.task_input import ProcessSpec, TaskSpec
from lamia_gql.ingest.tasks import create_tasks
from lamia_gql.storage.bulk_write import GROUP
from lamia_gql.storage.database import Database
from lamia_gql.storage.engine import begin_write
from lamia_gql.storage.migrations import migrate
from lamia_gql.storage.models import Event, Job, Task
from lamia_gql.storage.rows import EVENT_COLUMNS, JOB_COLUMNS, EventRow, JobRow
from tests.support.strategies import job_histories

TIME = datetime(2026, 11, 24, 12, 30, 0, 5, tzinfo=UTC)
TRICKY = [
    "",
    "NULL",
    "null",
    '"',
    "\\",
    '\\"',
    "{}",
    "{a,b}",
    "a,b",
    " a ",
    "a\nb\tc",
    "%s %",
    "“ü”",
]
texts = (
    st.none()
    | st.sampled_from(TRICKY)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
)
times = st.datetimes(
    datetime(1970, 1, 2),
    datetime(2100, 1, 1),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-9, minutes=-30))]),
)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """A transaction on either engine; there is a task with the id 1, with an array."""
    database = Database(load(database_url=database_url))
    migrate(database.engine)
    spec = TaskSpec("t", [ProcessSpec("p", 1000)])
    database.write_blocking(create_tasks(load(), [spec], TIME))
    with begin_write(database.engine) as connection:
        yield connection
    database.close()


def event(seq: int, **fields: Any) -> EventRow:
    """An event of the task."""
    row = EventRow(
        1, seq, str(uuid.uuid4()), 0, 0, EventClass.BEAT, 0, None, TIME, None, None, None, None
    )
    return row._replace(**fields)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(
        st.tuples(texts, texts, texts, st.none() | times, times, st.none() | st.floats(0, 1e18)),
        max_size=5,
    )
)
def test_events_are_read_as_they_were_written(
    connection: Connection,
    drawn: list[tuple[str | None, str | None, str | None, datetime | None, datetime, float | None]],
) -> None:
    """Whatever texts, times and numbers they have."""
    connection.execute(delete(Event))
    rows = [
        event(
            seq,
            payload=payload,
            hostname=host,
            client_address=address,
            sent_at=sent,
            received_at=received,
            progress=progress,
        )
        for seq, (payload, host, address, sent, received, progress) in enumerate(drawn, 1)
    ]
    assert INSERT_EVENTS.run(connection, rows) == len(rows)
    stored = connection.execute(select(*EVENT_COLUMNS).order_by(Event.seq)).all()
    assert [EventRow._make(row) for row in stored] == rows


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(job_histories.filter(bool), max_size=4),
    st.lists(job_histories.filter(bool), max_size=4),
)
def test_jobs_take_their_new_values(
    connection: Connection, first: list[list[Occurrence]], then: list[list[Occurrence]]
) -> None:
    """A job that has a row keeps nothing of it; others are added."""
    connection.execute(delete(Job))
    expected: dict[int, JobRow] = {}
    for lives in (first, then):
        rows = [JobRow.of((1, 0, index), summarise(life)) for index, life in enumerate(lives)]
        UPSERT_JOBS.run(connection, rows)
        expected |= {row.job_index: row for row in rows}
    stored = connection.execute(select(*JOB_COLUMNS).order_by(Job.job_index)).all()
    assert [JobRow._make(row) for row in stored] == [expected[index] for index in sorted(expected)]


def test_an_event_that_exists_is_left_alone(connection: Connection) -> None:
    """The number of written rows tells that there was one."""
    old = event(1, hostname="old")
    assert INSERT_EVENTS.run(connection, [old]) == 1
    assert INSERT_EVENTS.run(connection, [event(2), event(3, id=old.id)]) == 1
    assert INSERT_EVENTS.run(connection, []) == 0
    hosts = connection.scalars(select(Event.hostname).order_by(Event.seq)).all()
    assert hosts == ["old", None]


def test_many_rows_are_written_as_few_are(connection: Connection) -> None:
    """Those that exist among them are left alone, or take the new values, wherever they are."""
    size = 2 * GROUP + 7
    new = [event(seq) for seq in range(1, size + 1)]
    old = [event(size + 1, id=new[0].id), event(size + 2, id=new[GROUP + 3].id), new[-1]]
    assert INSERT_EVENTS.run(connection, old) == len(old)
    assert INSERT_EVENTS.run(connection, new) == size - len(old)
    ids = connection.scalars(select(Event.id)).all()
    assert sorted(ids) == sorted(each.id for each in new)
    for seen_at in (TIME, TIME + timedelta(seconds=1)):
        seen = Occurrence(new_id(), EventClass.BEAT, seen_at)
        rows = [JobRow.of((1, 0, index), summarise([seen])) for index in range(size)]
        UPSERT_JOBS.run(connection, rows[::-1])
        stored = connection.execute(select(*JOB_COLUMNS).order_by(Job.job_index)).all()
        assert [JobRow._make(row) for row in stored] == rows


def test_only_the_rows_of_the_keys_are_updated(connection: Connection) -> None:
    """A key without a row changes nothing."""
    values = (7, 5, TIME, "RUNNING", TIME, None)
    assert UPDATE_TASKS.run(connection, [(1, *values), (2, *values)]) == 1
    columns = [getattr(Task, name) for name in TASK_TOTALS]
    assert tuple(connection.execute(select(*columns)).one()) == values


def test_a_naive_time_is_refused(connection: Connection) -> None:
    """It could be any time of a day."""
    with pytest.raises(ValueError, match="time zone"):
        INSERT_EVENTS.run(connection, [event(1, received_at=TIME.replace(tzinfo=None))])


@pytest.mark.parametrize("make", [new_id, new_event_id])
def test_ids_of_later_events_are_greater(make: Callable[[], str]) -> None:
    """Ids of both sides are UUIDs of version 7, which begin with the time."""
    before = datetime.now(UTC)
    ids = [make() for _ in range(1000)]
    assert len(set(ids)) == len(ids)
    for text in ids:
        found = uuid.UUID(text)
        assert str(found) == text
        assert (found.version, found.variant) == (7, uuid.RFC_4122)
        made = datetime.fromtimestamp((found.int >> 80) / 1000, UTC)
        assert timedelta(milliseconds=-1) <= made - before < timedelta(minutes=1)

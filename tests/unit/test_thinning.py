"""Thinning removes BEATs that nothing depends on, and nothing else changes."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select

from lamia_gql.domain.lifecycle import EventClass
from lamia_gql.domain.retention import Retention
from lamia_gql.domain.settings import load
from lamia_gql.ingest.event_input import NewEvent
from lamia_gql.ingest.pruner import Pruning
from lamia_gql.ingest.recorder import Recorder
from lamia_gql.ingest.recount import recount
from lamia_gql.ingest.task_input import ProcessSpec, TaskSpec
from lamia_gql.ingest.tasks import create_tasks
from lamia_gql.ingest.thinning import ThinningPace, thin_task
from lamia_gql.storage.database import Database
from lamia_gql.storage.models import Event, Job, Process, Task

NOW = datetime.now(UTC)
OLD = NOW - timedelta(days=30)
JOBS = 5
BEATS_OF_A_WEEK = Retention.of(load(beat_retention_days=7))


def event(process: str, index: int, kind: str, **given: Any) -> NewEvent:
    """An event that came a month ago, unless told otherwise."""
    fields: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "attempt": 0,
        "sent_at": None,
        "received_at": OLD,
        "progress": None,
        "payload": None,
        "hostname": None,
        "client_address": None,
    }
    return NewEvent(
        task="t", process=process, index=index, event_class=EventClass(kind), **fields | given
    )


async def write(database: Database, events: list[NewEvent]) -> None:
    """Store events of a task ``t``, one transaction after the other."""
    recorder = Recorder(database, batch_size=1000, max_waiting=10_000)
    await recorder.start()
    for begin in range(0, len(events), 50):
        await recorder.record(events[begin : begin + 50])
    await recorder.stop()


def create(database: Database) -> None:
    """A task with two arrays."""
    spec = TaskSpec("t", [ProcessSpec("a", JOBS), ProcessSpec("b", JOBS, threshold=100.0)])
    database.write_blocking(create_tasks(load(), [spec], OLD))


def facts(database: Database) -> Any:
    """All columns of all rows but those of events, without the numbers of events."""
    found = []
    with database.engine.connect() as connection:
        for entity in Task, Process, Job:
            names = [c.name for c in entity.__table__.c if c.name not in ("events", "thinned_seq")]
            columns = [entity.__table__.c[name] for name in names]
            found.append(list(map(tuple, connection.execute(select(*columns).order_by(*columns)))))
    return found


def seqs(database: Database, kind: str) -> list[int]:
    """The numbers of the events of a class."""
    with database.engine.connect() as connection:
        return list(
            connection.scalars(
                select(Event.seq).where(Event.event_class == kind).order_by(Event.seq)
            )
        )


def numbers(database: Database) -> tuple[Any, ...]:
    """How many events there are: by the rows, and by the columns of task, processes and jobs."""
    with database.engine.connect() as connection:
        return tuple(
            connection.scalar(statement)
            for statement in (
                select(func.count()).select_from(Event),
                select(Task.events),
                select(func.sum(Process.events)),
                select(func.sum(Job.events)),
            )
        )


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_else_changes(database: Database, seed: int) -> None:
    """Whatever was sent: facts, counters and a recount are as before, on both engines."""
    chance = random.Random(seed)
    create(database)
    kinds = ["BEAT"] * 12 + [kind.value for kind in EventClass]
    story = [
        event(
            chance.choice("ab"),
            chance.randrange(JOBS),
            chance.choice(kinds),
            progress=chance.choice([None] * 5 + [0.0, 7.5]),
            attempt=chance.choice([0, 0, 0, 1]),
            received_at=OLD + timedelta(hours=1.75 * n, minutes=chance.choice([0, 0, 10])),
            sent_at=chance.choice([None, OLD + timedelta(hours=n, minutes=chance.randrange(60))]),
        )
        for n in range(400)
    ]
    await write(database, story)
    before, beats = facts(database), seqs(database, "BEAT")
    estimate = await Pruning(database, BEATS_OF_A_WEEK, NOW).estimate()
    assert facts(database) == before
    pruned = await Pruning(database, BEATS_OF_A_WEEK, NOW).run()
    left = seqs(database, "BEAT")
    # The last quarter of the events is of the last week.
    assert 100 < len(beats) - len(left) == pruned.beats == estimate.beats
    assert facts(database) == before
    assert list(recount(database)) == []
    assert numbers(database) == (400 - pruned.beats,) * 4
    assert (await Pruning(database, BEATS_OF_A_WEEK, NOW).run()).beats == 0
    await write(database, [event("a", 0, "BEAT", received_at=NOW), *story[:50]])
    assert list(recount(database)) == []


async def test_a_process_of_beats_only(database: Database) -> None:
    """Each job keeps its last BEAT, and the numbers of later events go on."""
    create(database)
    await write(database, [event("a", n % JOBS, "BEAT") for n in range(200)])
    pruned = await Pruning(database, BEATS_OF_A_WEEK, NOW).run()
    # All have the same time: they are the last sign of life together.
    assert pruned.beats == 0
    later = [
        event("a", n % JOBS, "BEAT", received_at=OLD + timedelta(minutes=n)) for n in range(1, 201)
    ]
    await write(database, later)
    pruned = await Pruning(database, BEATS_OF_A_WEEK, NOW).run()
    assert seqs(database, "BEAT")[-1] == 400
    assert list(recount(database)) == []
    await write(database, [event("a", 0, "DONE")])
    assert seqs(database, "DONE") == [401]


async def test_that_there_were_beats_remains_known(database: Database) -> None:
    """Where no BEAT of a process remains, it has still received some, also for a recount."""
    create(database)
    minutes = [OLD + timedelta(minutes=n) for n in range(101)]
    await write(database, [event("a", 0, "BEAT", received_at=time) for time in minutes[:100]])
    await write(database, [event("a", 0, "PROGRESS", received_at=minutes[100], progress=1.0)])
    assert (await Pruning(database, BEATS_OF_A_WEEK, NOW).run()).beats == 100
    assert seqs(database, "BEAT") == []
    before = facts(database)
    assert list(recount(database)) == []
    assert facts(database) == before


async def test_what_is_young_or_of_a_deleted_task_stays(database: Database) -> None:
    """Young BEATs stay, and thinning goes on where it ended once they are old."""
    create(database)
    times = [OLD + timedelta(minutes=n) for n in range(100)]
    young = [NOW - timedelta(days=6, minutes=-n) for n in range(100)]
    await write(database, [event("a", 0, "BEAT", received_at=time) for time in [*times, *young]])
    assert (await Pruning(database, BEATS_OF_A_WEEK, NOW).run()).beats == 100
    in_two_days = Retention.of(load(beat_retention_days=5))
    assert (await Pruning(database, in_two_days, NOW).run()).beats == 99
    assert seqs(database, "BEAT") == [200]
    assert list(recount(database)) == []


async def test_beats_behind_many_other_events(database: Database) -> None:
    """However many events were only looked at, few BEATs are removed in the first transaction."""
    create(database)
    readings = [
        event("a", n % JOBS, "PROGRESS", received_at=OLD + timedelta(seconds=n), progress=1.0)
        for n in range(1_000)
    ]
    beats = [
        event("a", n % JOBS, "BEAT", received_at=OLD + timedelta(hours=1, seconds=n))
        for n in range(600)
    ]
    await write(database, [*readings, *beats])
    before, pace = facts(database), ThinningPace()
    with database.engine.connect() as connection:
        task_id = connection.scalar(select(Task.id))
    assert task_id is not None
    thin = partial(thin_task, task_id=task_id, before=NOW, pace=pace)
    gone: list[int] = []
    looked_at = beats_of_first = 0
    is_last = False
    while not is_last:
        found = await database.write(thin)
        is_last = found.is_last
        if not gone:
            looked_at, beats_of_first = found.last_seq, len(found.keys)
        gone += [key[0] for key in found.keys]
    assert looked_at > 1_000
    assert 0 < beats_of_first <= 200
    # The last of each job is its last sign of life.
    assert gone == list(range(1_001, 1_596))
    assert facts(database) == before
    assert list(recount(database)) == []

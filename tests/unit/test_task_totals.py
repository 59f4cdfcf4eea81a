"""What a task says of its processes, after each transaction with events."""

from __future__ import annotations

from datetime import datetime, timedelta

from lamia_gql.client.event import new_id
from lamia_gql.domain.lifecycle import EventClass, Occurrence
from lamia_gql.ingest.event_batch import record
from lamia_gql.ingest.event_input import NewEvent
from lamia_gql.ingest.recount import recount
from lamia_gql.ingest.task_input import ProcessSpec
from lamia_gql.storage.database import Database
from lamia_gql.storage.queries.tasks import tasks_by_name
from lamia_gql.storage.rows import TaskRow
from tests.support.new_events import create, event
from tests.support.statements import record_statements
from tests.support.strategies import NOON


def at(minute: int) -> datetime:
    """A time before the server receives the events."""
    return NOON - timedelta(minutes=60 - minute)


def told(task: str, job: int | None, name: str, minute: int, attempt: int = 0) -> NewEvent:
    """An event of a job of the array, or of the solitary process."""
    occurrence = Occurrence(new_id(), EventClass(name), at(minute), attempt)
    return event(task, job, occurrence, "alone" if job is None else "array")


def store(database: Database, *events: NewEvent) -> list[str]:
    """Store events in one transaction; its statements."""
    with record_statements() as statements:
        database.write_blocking(lambda transaction: record(transaction, events))
    return statements


def stored(database: Database, name: str) -> TaskRow:
    """The row of a task."""
    [found] = database.read_blocking(lambda c: tasks_by_name(c, [name]))
    assert isinstance(found, TaskRow)
    return found


def test_a_task_follows_from_all_of_its_processes(database: Database) -> None:
    """Whether an event changes one of them, or all that it can change are its counts."""
    task, other = (create(database, ProcessSpec("alone")) for _ in range(2))
    steps = [
        (told(task, 0, "SUBMITTED", 1), "SUBMITTED", None, None, 1),
        (told(task, 0, "STARTED", 5), "RUNNING", 5, None, 5),
        (told(task, 0, "BEAT", 4), "RUNNING", 5, None, 5),
        (told(task, 1, "STARTED", 3), "RUNNING", 3, None, 5),
        (told(task, 2, "STARTED", 7), "RUNNING", 3, None, 7),
        *((told(task, job, "DONE", 10 + job), "RUNNING", 3, None, 10 + job) for job in range(3)),
        (told(task, None, "STARTED", 2), "RUNNING", 2, None, 12),
        (told(task, None, "DONE", 11), "FAILED", 2, 12, 12),
        (told(task, 0, "BEAT", 20), "FAILED", 2, 12, 20),
        (told(task, None, "STARTED", 21, attempt=1), "RUNNING", 2, None, 21),
        (told(task, None, "BEAT", 22, attempt=1), "RUNNING", 2, None, 22),
        (told(task, None, "DONE", 23, attempt=1), "FAILED", 2, 23, 23),
    ]
    for number, (sent, state, started, finished, latest) in enumerate(steps, 1):
        beat = told(other, 1, "BEAT", number)
        # A transaction may have several tasks, of which one changes more than the other.
        store(database, beat, sent)
        row = stored(database, task)
        assert (row.state, row.last_seq, row.events) == (state, number, number), number
        assert row.started_at == (None if started is None else at(started)), number
        assert row.finished_at == (None if finished is None else at(finished)), number
        assert row.last_event_at == at(latest), number
        assert list(recount(database)) == [], number
        store(database, beat, sent)
        assert stored(database, task) == row
    assert stored(database, other).events == len(steps)


def test_a_beat_reads_no_other_processes(database: Database) -> None:
    """Nor the task again: PostgreSQL gets what one event alone needs in three messages."""
    task = create(database, ProcessSpec("alone"))
    store(database, *(told(task, job, "STARTED", 1) for job in range(3)))
    statements = store(database, told(task, 0, "BEAT", 2))
    read = [statement for statement in statements if statement.startswith("SELECT")]
    assert ["FROM task" in read[0], "FROM process" in read[1], "FROM job" in read[2]]
    assert len(read) == 3
    assert len(statements) == 3 + (1 if database.has_other_servers else 5)

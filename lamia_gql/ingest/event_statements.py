"""The statements of the write path: built once for an engine, prepared once by the database."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import BigInteger, and_, bindparam, case, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from lamia_gql.storage.key_table import INT, TEXT, UUID, keys
from lamia_gql.storage.models import Event, Job, Process, Sample, Task
from lamia_gql.storage.rows import EVENT_COLUMNS, JOB_COLUMNS, PROCESS_COLUMNS, TASK_COLUMNS

PROCESS_COUNTERS = (
    "submitted",
    "running",
    "done",
    "failed",
    "terminated",
    "reporting",
    "progress_sum",
    "state",
    "events",
    "event_classes",
    "started_at",
    "last_ended_at",
    "last_event_at",
    "last_event_id",
    "last_event_class",
)
"""The columns of a process that follow from its events."""
SAMPLED = ("submitted", "running", "done", "failed", "terminated", "reporting", "progress_sum")
"""The counters that a sample keeps."""
TASK_SUMS = ("last_seq", "state", "started_at", "finished_at", "last_event_at")
"""The columns of a task that follow from its processes."""


class Statements:
    """The statements for one engine. Reads take ``keys``, see ``keys``; writes take rows."""

    def __init__(self, is_sqlite: bool) -> None:
        self.is_sqlite = is_sqlite
        self.lock_tasks = self._lock_tasks()
        self.read_processes = self._read_processes()
        self.read_known = self._read_known()
        self.read_jobs = self._read_jobs()
        self.group_processes = self._group_processes()
        self.insert_events = insert(Event)
        self.upsert_jobs = self._upsert(Job)
        self.upsert_samples = self._upsert(Sample)
        self.update_process = (
            update(Process)
            .where(
                Process.task_id == bindparam("key_task"),
                Process.number == bindparam("key_number"),
                # With the number alone, PostgreSQL without statistics, as it is at first, takes
                # the index of the names, and goes through all processes of the task for each.
                Process.name == bindparam("key_name"),
            )
            .values({name: bindparam(name) for name in PROCESS_COUNTERS})
        )
        self.update_task = (
            update(Task)
            .where(Task.id == bindparam("key_task"))
            .values({name: bindparam(name) for name in TASK_SUMS})
        )
        self.coarsen = _coarsen()

    def _lock_tasks(self) -> Any:
        k = keys(self.is_sqlite, name=TEXT)
        return (
            select(*TASK_COLUMNS)
            .join(k, Task.name == k.c.name)
            .where(Task.deleted_at.is_(None))
            .order_by(Task.id)
            .with_for_update(of=Task)
        )

    def _read_processes(self) -> Any:
        k = keys(self.is_sqlite, task_id=INT, name=TEXT)
        mine = (Process.task_id == k.c.task_id) & (Process.name == k.c.name)
        return select(*PROCESS_COLUMNS).join(k, mine)

    def _read_known(self) -> Any:
        k = keys(self.is_sqlite, task_id=INT, id=UUID)
        return select(*EVENT_COLUMNS).join(k, (Event.task_id == k.c.task_id) & (Event.id == k.c.id))

    def _read_jobs(self) -> Any:
        k = keys(self.is_sqlite, task_id=INT, number=INT, job_index=INT)
        return select(*JOB_COLUMNS).join(
            k,
            (Job.task_id == k.c.task_id)
            & (Job.process_number == k.c.number)
            & (Job.job_index == k.c.job_index),
        )

    def _group_processes(self) -> Any:
        k = keys(self.is_sqlite, task_id=INT)
        ended = Process.done + Process.failed + Process.terminated
        by_number = and_(
            Process.threshold.is_not(None), Process.reporting > 0, ended < Process.job_count
        )
        # The same as ``ProcessRow.finished_at``.
        finish = case(
            (by_number, Process.last_event_at),
            else_=func.coalesce(Process.last_ended_at, Process.last_event_at),
        )
        return (
            select(
                Process.task_id,
                Process.state,
                func.min(Process.started_at),
                func.max(finish),
                func.max(Process.last_event_at),
            )
            .join(k, Process.task_id == k.c.task_id)
            .group_by(Process.task_id, Process.state)
        )

    def _upsert(self, entity: type[Job] | type[Sample]) -> Any:
        statement: Any = (sqlite.insert if self.is_sqlite else postgresql.insert)(entity)
        table = entity.__table__
        return statement.on_conflict_do_update(
            index_elements=[column.name for column in table.primary_key],
            set_={c.name: statement.excluded[c.name] for c in table.columns if not c.primary_key},
        )


def _coarsen() -> tuple[Any, ...]:
    """Give a process a longer step, keep the last sample of each, and let it stand for it."""
    mine = (Sample.task_id == bindparam("key_task")) & (
        Sample.process_number == bindparam("key_number")
    )
    step = bindparam("step", type_=BigInteger())
    begin = Sample.at - Sample.at % step
    return (
        update(Process)
        .where(Process.task_id == bindparam("key_task"), Process.number == bindparam("key_number"))
        .values(sample_step=step, sampled_since=bindparam("since")),
        delete(Sample).where(
            mine, Sample.at.not_in(select(func.max(Sample.at)).where(mine).group_by(begin))
        ),
        update(Sample).where(mine, Sample.at % step != 0).values(at=begin),
    )


@cache
def statements(is_sqlite: bool) -> Statements:
    """The statements for SQLite, or for PostgreSQL."""
    return Statements(is_sqlite)

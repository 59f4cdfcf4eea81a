"""Raising the number of jobs of an array whose size was not known when it was created."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update

from lamia_gql.domain.access import ANYONE, Principal
from lamia_gql.domain.errors import ErrorCode
from lamia_gql.domain.not_found import process_not_found
from lamia_gql.domain.progress import process_state
from lamia_gql.domain.settings import Settings
from lamia_gql.domain.text_checks import is_storable
from lamia_gql.ingest.task_input import Check, InvalidInput, ProcessSpec, check_process
from lamia_gql.ingest.task_totals import refresh_tasks
from lamia_gql.ingest.tasks import Work, lock_task, lock_tasks
from lamia_gql.storage.change_feed import Change
from lamia_gql.storage.models import Process
from lamia_gql.storage.rows import PROCESS_COLUMNS, ProcessRow, TaskRow
from lamia_gql.storage.transaction import WriteTransaction


def grow_process(
    settings: Settings,
    task: str,
    process: str,
    job_count: int,
    now: datetime,
    principal: Principal = ANYONE,
    failure_tolerance: int | None = None,
) -> Work[tuple[TaskRow, ProcessRow]]:
    """Give an array more jobs; the work returns its task and the array. It never shrinks.

    With the number of jobs that it has, it stays as it is, so that a client may repeat itself. Its
    progress and state follow. Raises :class:`InvalidInput`.

    Args:
        settings: the server's settings, for their limits.
        task: the name of the task.
        process: the name of the array.
        job_count: its new number of jobs.
        now: the time.
        principal: who asks.
        failure_tolerance: how many of them may fail; None to leave it.
    """

    def work(transaction: WriteTransaction) -> tuple[TaskRow, ProcessRow]:
        check = Check(settings, now)
        connection = transaction.connection
        locked = lock_task(transaction, principal, task)
        found = None
        if is_storable(process):
            found = connection.execute(
                select(*PROCESS_COLUMNS).where(
                    Process.task_id == locked.id, Process.name == process
                )
            ).one_or_none()
        if found is None:
            raise InvalidInput([process_not_found(task, process)])
        old = ProcessRow._make(found)
        new = _grown(check, old, job_count, failure_tolerance)
        check.raise_errors()
        connection.execute(
            update(Process)
            # By the number alone, a new PostgreSQL would read all processes of the task.
            .where(
                Process.task_id == old.task_id,
                Process.number == old.number,
                Process.name == old.name,
            )
            .values(
                job_count=new.job_count,
                failure_tolerance=new.failure_tolerance,
                state=process_state(new, new),
            )
        )
        refresh_tasks(connection, {locked.id: locked.last_seq})
        transaction.publish_on_commit([Change.of(locked)])
        [locked] = lock_tasks(transaction, [task])
        return locked, new._replace(state=process_state(new, new))

    return work


def _grown(check: Check, old: ProcessRow, job_count: int, tolerance: int | None) -> ProcessRow:
    new = old._replace(
        job_count=job_count,
        failure_tolerance=old.failure_tolerance if tolerance is None else tolerance,
    )
    if not old.is_array:
        check.add(
            ErrorCode.JOB_COUNT_INVALID,
            f"Process “{old.name}” is solitary: only arrays grow.",
            "jobCount",
        )
    elif job_count < old.job_count:
        check.add(
            ErrorCode.JOB_COUNT_INVALID,
            f"Array “{old.name}” has {old.job_count} jobs, and can't have fewer: {job_count}.",
            "jobCount",
        )
    else:
        spec = ProcessSpec(old.name, job_count, old.first_index, new.failure_tolerance)
        check_process(check, spec)
    return new

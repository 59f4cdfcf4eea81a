"""Puts notifications into the outbox, in the transaction of what they are about.

A transaction in which no task ends, loses its last chance or falls silent runs no statement for it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, func, insert, select, update

from lamia_gql.domain.lifecycle import JobState
from lamia_gql.domain.notifications import (
    OCCASION_BITS,
    Channel,
    Occasion,
    is_mail_address_in,
    occasion_mask,
    url_digest,
)
from lamia_gql.domain.pagination import Page
from lamia_gql.domain.progress import FINISHED, Outlook, process_outlook
from lamia_gql.domain.settings import Settings
from lamia_gql.ingest.event_ids import new_event_id
from lamia_gql.ingest.task_totals import TaskTotals
from lamia_gql.storage.filters import JobFilter
from lamia_gql.storage.models import Task
from lamia_gql.storage.queries.jobs import JOB_INDEX, read_jobs
from lamia_gql.storage.queries.processes import all_processes
from lamia_gql.storage.row_shape import PROCESS
from lamia_gql.storage.rows import ProcessRow, TaskRow
from lamia_gql.storage.service_models import Notification

log = logging.getLogger(__name__)

MAX_PER_TASK = 100
"""On how many occasions there are notifications of one task: its jobs may fail and restart."""
SHOWN_PROCESSES = 5
"""Of how many processes a notification names jobs that failed."""
SHOWN_JOBS = 10
"""How many jobs of a process it names."""
COUNTERS = ("pending", "submitted", "held", "running", "done", "failed", "terminated")
NAMED_JOBS = Page(SHOWN_JOBS)
FAILED_JOBS = JobFilter(states=(JobState.FAILED, JobState.TERMINATED))
Occasions = Mapping[int, Sequence[Occasion]]
"""What has happened to each task, by its id; a receiver is told the first that it wants."""


class Outbox:
    """Decides who is told what, and stores it. Lives as long as the application."""

    def __init__(self, settings: Settings) -> None:
        self._sends_mail = settings.smtp_url is not None
        self._domains = settings.notify_email_domains
        self._mask = occasion_mask(settings.notify_on)
        self._limit = settings.max_notifications
        self._receivers = [
            *(
                (Channel.WEBHOOK, url_digest(url))
                for url in dict.fromkeys(settings.notify_webhook_urls)
            ),
            *(
                (Channel.APPRISE, url_digest(url))
                for url in dict.fromkeys(settings.notify_apprise_urls)
            ),
        ]

    @property
    def is_used(self) -> bool:
        """Whether anybody can be told anything."""
        return self._sends_mail or bool(self._receivers)

    def add_ends(
        self,
        connection: Connection,
        tasks: Mapping[int, TaskRow],
        totals: Iterable[TaskTotals],
        before: Sequence[ProcessRow],
        after: Iterable[ProcessRow],
    ) -> None:
        """Tell who wants to know of tasks that have ended, or cannot succeed.

        Args:
            connection: that of the transaction, which has written the processes and tasks.
            tasks: the tasks of the transaction, as they were before it, by their ids.
            totals: what it has written to them.
            before: processes as they were before it.
            after: those of them that it has changed, as they are now.
        """
        found: dict[int, list[Occasion]] = {}
        for task in totals:
            if task.state in FINISHED and task.state != tasks[task.id].state:
                found[task.id] = [Occasion(task.state)]
        old = {(process.task_id, process.number): process for process in before}
        for process in after:
            known = old[process.task_id, process.number]
            if (
                process.ended != known.ended
                and _is_doomed(process)
                and not _is_doomed(known)
                and Occasion.CANNOT_SUCCEED not in found.get(process.task_id, ())
            ):
                found.setdefault(process.task_id, []).append(Occasion.CANNOT_SUCCEED)
        self.add(connection, {task_id: tasks[task_id] for task_id in found}, found, old)

    def may_tell(self, occasion: Occasion) -> bool:
        """Whether anybody can be told of this occasion of any task."""
        told = bool(self._mask & OCCASION_BITS[occasion])
        return self._sends_mail or (told and bool(self._receivers))

    def wants(self, task: TaskRow, occasions: Sequence[Occasion]) -> bool:
        """Whether anybody wants to be told of one of these occasions of the task."""
        return bool(self._told(task, occasions))

    def add(
        self,
        connection: Connection,
        tasks: Mapping[int, TaskRow],
        occasions: Occasions,
        old: Mapping[tuple[int, int], ProcessRow],
    ) -> None:
        """Store the notifications of these tasks, whose rows are locked.

        Args:
            connection: that of the transaction.
            tasks: the tasks, by their ids; their names and addresses count, not their states.
            occasions: what has happened to each.
            old: processes that the transaction has changed, as they were before it.
        """
        wanted = [task for key, task in tasks.items() if self.wants(task, occasions[key])]
        if not wanted:
            return
        groups = all_processes(connection, [task.id for task in wanted], PROCESS)
        told: list[tuple[TaskRow, list[ProcessRow], list[tuple[Channel, str, Occasion]]]] = []
        for task, processes in zip(wanted, groups, strict=True):
            found = occasions[task.id]
            if any(_is_doomed(old.get((task.id, p.number), p)) for p in processes):
                # It could not succeed before, by another process, and there was a notification.
                found = [each for each in found if each is not Occasion.CANNOT_SUCCEED]
            if receivers := self._told(task, found):
                told.append((task, processes, receivers))
        if not told:
            return
        now = datetime.now(UTC)
        states = self._count(connection, [task.id for task, _, _ in told], now)
        told = [entry for entry in told if entry[0].id in states]
        failing = _failing(connection, [processes for _, processes, _ in told], now)
        rows = []
        for (task, processes, receivers), jobs in zip(told, failing, strict=True):
            facts = orjson.dumps(_facts(task, states[task.id], processes, jobs)).decode()
            for channel, receiver, occasion in receivers:
                rows.append(
                    {
                        "id": new_event_id(),
                        "occasion": occasion,
                        "channel": channel,
                        "receiver": receiver,
                        "task": task.name,
                        "facts": facts,
                        "created_at": now,
                        "due_at": now,
                    }
                )
        self._insert(connection, rows)

    def _told(
        self, task: TaskRow, occasions: Sequence[Occasion]
    ) -> list[tuple[Channel, str, Occasion]]:
        """Who is told of the task, and what."""
        found = []
        occasion = _first(occasions, self._mask)
        if occasion is not None:
            found = [(channel, receiver, occasion) for channel, receiver in self._receivers]
        occasion = _first(occasions, self._mask if task.notify is None else task.notify)
        if (
            self._sends_mail
            and occasion is not None
            and task.email is not None
            and is_mail_address_in(task.email, self._domains)
        ):
            found.append((Channel.EMAIL, task.email, occasion))
        return found

    def _count(self, connection: Connection, ids: Sequence[int], now: datetime) -> dict[int, Any]:
        """Count an occasion of each task; the rows of those that have not had too many."""
        counted = connection.execute(
            update(Task)
            .where(Task.id.in_(ids))
            .values(notifications=Task.notifications + 1)
            .returning(
                Task.id,
                Task.notifications,
                Task.state,
                Task.started_at,
                Task.finished_at,
                Task.last_event_at,
            )
        ).all()
        if too_many := sum(row.notifications > MAX_PER_TASK for row in counted):
            log.warning(
                "%d tasks have had %d notifications, and get no more", too_many, MAX_PER_TASK
            )
        return {row.id: row for row in counted if row.notifications <= MAX_PER_TASK}

    def _insert(self, connection: Connection, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        waiting = select(Notification.id).limit(self._limit).subquery()
        room = self._limit - (connection.scalar(select(func.count()).select_from(waiting)) or 0)
        if room < len(rows):
            log.error(
                "%d notifications are dropped, because %d wait for their delivery",
                len(rows) - room,
                self._limit,
            )
        if room > 0:
            connection.execute(insert(Notification), rows[:room])


def _first(occasions: Sequence[Occasion], mask: int) -> Occasion | None:
    return next((each for each in occasions if mask & OCCASION_BITS[each]), None)


def _is_doomed(process: ProcessRow) -> bool:
    return process_outlook(process, process, has_lost=False) is Outlook.CANNOT_SUCCEED


def _failing(
    connection: Connection, groups: Sequence[Sequence[ProcessRow]], now: datetime
) -> list[list[tuple[ProcessRow, list[int]]]]:
    """Of each task, the first processes with failures, and the indices of the first such jobs."""
    shown = [[p for p in processes if p.failures][:SHOWN_PROCESSES] for processes in groups]
    flat = [process for processes in shown for process in processes]
    jobs = iter(
        read_jobs(connection, flat, FAILED_JOBS, NAMED_JOBS, now, None, JOB_INDEX) if flat else ()
    )
    return [
        [(process, [job[0] for job in next(jobs).items]) for process in processes]
        for processes in shown
    ]


def _facts(
    task: TaskRow,
    totals: Any,
    processes: Sequence[ProcessRow],
    failing: Sequence[tuple[ProcessRow, list[int]]],
) -> dict[str, Any]:
    """What a notification says about a task; its keys are those of GraphQL, as far as there are."""
    counts = {name: sum(getattr(p, name) for p in processes) for name in COUNTERS}
    return {
        "state": totals.state,
        "username": task.username,
        "startedAt": totals.started_at,
        "finishedAt": totals.finished_at,
        "lastEventAt": totals.last_event_at,
        "counts": {"total": sum(p.job_count for p in processes), **counts},
        "failing": [
            {
                "process": process.name,
                "jobs": process.failures,
                "indices": indices if process.is_array else None,
            }
            for process, indices in failing
        ],
    }

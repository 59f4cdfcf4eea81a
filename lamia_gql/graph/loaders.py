"""Data loaders: each level of a query is read in one statement.

There is one loader per kind of read and its arguments; its keys are the parents. Loaders live as
long as an operation, so nothing is read twice in one operation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from lamia_gql.api.answer_budget import AnswerBudget
from lamia_gql.domain.pagination import Page, Slice
from lamia_gql.graph.batch_loader import BatchLoader
from lamia_gql.storage.filters import EventFilter, JobFilter, ProcessFilter, TaskFilter
from lamia_gql.storage.operation_reads import Snapshot
from lamia_gql.storage.queries import events, job_counts, jobs, runs, samples, tasks
from lamia_gql.storage.queries.counts import Count
from lamia_gql.storage.queries.samples import SampleRow
from lamia_gql.storage.rows import EventRow, JobRow, ProcessRow, TaskJson, TaskRow
from lamia_gql.storage.transaction import ReadConnection

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Loaders:
    """The reads of one operation, batched.

    Counters of a process decide which of its jobs are read, so the processes given to these methods
    must have been read by the same object.

    Args:
        snapshot: where to read.
        beat_interval: the beat interval in seconds of processes that have none of their own.
        now: the time at which liveness is judged.
        budget: what the answer may take.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        beat_interval: float | None,
        now: datetime,
        budget: AnswerBudget,
    ) -> None:
        self._snapshot = snapshot
        self._time = now, beat_interval
        """What liveness is judged by. Reads must not refer to self: that would be a cycle."""
        self._loaders: dict[Hashable, BatchLoader[Any, Any]] = {}
        self._budget = budget
        self._expected: dict[Hashable, set[tuple[int, ...]]] = {}

    def expect(self, events: Sequence[EventRow]) -> None:
        """When the process or job of one of these events is read, read those of all of them."""
        self._expected = {
            "process_by_key": {(event.task_id, event.process_number) for event in events},
            "job": {(event.task_id, event.process_number, event.job_index) for event in events},
        }

    def _load(
        self, kind: Hashable, key: K, read: Callable[[ReadConnection, list[K]], Sequence[V]]
    ) -> Awaitable[V]:
        loader = self._loaders.get(kind)
        if loader is None:
            snapshot = self._snapshot

            async def batch(wanted: list[K]) -> Sequence[V]:
                return await snapshot.read(lambda connection: read(connection, wanted))

            loader = self._loaders[kind] = BatchLoader(batch, self._budget)
            for other in self._expected.get(kind, ()):
                # Perhaps nobody awaits it: asyncio is not to warn of an error that nobody fetched.
                asyncio.ensure_future(loader.load(other)).add_done_callback(_fetch_error)
        return loader.load(key)

    async def tasks(self, wanted: TaskFilter, order: tasks.TaskOrder, page: Page) -> Slice[TaskRow]:
        """A page of the tasks, in an order."""
        return await self._snapshot.read(lambda c: tasks.read_tasks(c, wanted, order, page))

    def count_tasks(self, wanted: TaskFilter) -> Awaitable[Count]:
        """The number of wanted tasks."""
        return self._load("count_tasks", wanted, lambda c, keys: tasks.count_tasks(c, keys))

    def task_by_name(self, name: str) -> Awaitable[TaskRow | None]:
        """The task of this name; None where it does not exist."""
        return self._load("task_by_name", name, lambda c, keys: tasks.tasks_by_name(c, keys))

    def task_by_id(self, task_id: int) -> Awaitable[TaskRow | None]:
        """The task of this id; None where it does not exist."""
        return self._load("task_by_id", task_id, lambda c, keys: tasks.tasks_by_id(c, keys))

    def tags(self, task_id: int) -> Awaitable[list[str]]:
        """The tags of a task, sorted."""
        return self._load("tags", task_id, lambda c, keys: tasks.read_tags(c, keys))

    def task_json(self, task_id: int) -> Awaitable[TaskJson]:
        """The JSON texts of a task."""
        hold = self._budget.hold
        return self._load(
            "task_json",
            task_id,
            lambda c, keys: tasks.read_task_json(c, keys, hold),
        )

    def all_processes(self, task_id: int) -> Awaitable[list[ProcessRow]]:
        """All processes of a task, in the order in which they were created."""
        return self._load("all_processes", task_id, lambda c, keys: tasks.all_processes(c, keys))

    def processes(
        self, task_id: int, wanted: ProcessFilter, page: Page
    ) -> Awaitable[Slice[ProcessRow]]:
        """A page of the processes of a task."""
        return self._load(
            ("processes", wanted, page),
            task_id,
            lambda c, keys: tasks.read_processes(c, keys, wanted, page),
        )

    def count_processes(self, task_id: int, wanted: ProcessFilter) -> Awaitable[Count]:
        """The number of wanted processes of a task."""
        return self._load(
            ("count_processes", wanted),
            task_id,
            lambda c, keys: tasks.count_processes(c, keys, wanted),
        )

    def process_by_name(self, task_id: int, name: str) -> Awaitable[ProcessRow | None]:
        """The process of this name in a task; None where it does not exist."""
        return self._load(
            "process_by_name",
            (task_id, name),
            lambda c, keys: tasks.processes_by_name(c, keys),
        )

    def process_by_key(self, task_id: int, number: int) -> Awaitable[ProcessRow | None]:
        """The process of this number in a task; None where it does not exist."""
        return self._load(
            "process_by_key",
            (task_id, number),
            lambda c, keys: tasks.processes_by_key(c, keys),
        )

    def jobs(self, array: ProcessRow, wanted: JobFilter, page: Page) -> Awaitable[Slice[JobRow]]:
        """A page of the wanted jobs of an array, in the order of their indices."""
        time = self._time
        return self._load(
            ("jobs", wanted, page),
            array,
            lambda c, keys: jobs.read_jobs(c, keys, wanted, page, *time),
        )

    def count_jobs(self, array: ProcessRow, wanted: JobFilter) -> Awaitable[Count]:
        """The number of wanted jobs of an array."""
        time = self._time
        return self._load(
            ("count_jobs", wanted),
            array,
            lambda c, keys: job_counts.count_jobs(c, keys, wanted, *time),
        )

    async def has_lost_jobs(self, process: ProcessRow) -> bool:
        """Whether a process has LOST jobs. Read only where there can be any."""
        if not process.running or (process.beat_interval or self._time[1]) is None:
            return False
        time = self._time
        return await self._load(
            "has_lost_jobs",
            process,
            lambda c, keys: job_counts.have_lost_jobs(c, keys, *time),
        )

    def job(self, task_id: int, number: int, index: int) -> Awaitable[JobRow]:
        """The job of this index, which the process must have."""
        return self._load(
            "job",
            (task_id, number, index),
            lambda c, keys: jobs.jobs_by_key(c, keys),
        )

    def state_ranges(self, array: ProcessRow) -> Awaitable[list[runs.Run]]:
        """The states of all jobs of an array, as runs of consecutive jobs in the same state."""
        limit = self._budget.max_values
        return self._load("state_ranges", array, lambda c, keys: runs.state_ranges(c, keys, limit))

    def indices(self, array: ProcessRow, wanted: JobFilter) -> Awaitable[str]:
        """The indices of the wanted jobs of an array, as ``813,900-904``."""
        time, hold = self._time, self._budget.hold
        return self._load(
            ("indices", wanted),
            array,
            lambda c, keys: runs.job_indices(c, keys, wanted, *time, hold),
        )

    def events(
        self, parent: tuple[int, ...], wanted: EventFilter, page: Page
    ) -> Awaitable[Slice[EventRow]]:
        """A page of the wanted events of a task, a process or a job, oldest first."""
        hold = self._budget.hold
        return self._load(
            ("events", len(parent), wanted, page),
            parent,
            lambda c, keys: events.read_events(c, keys, wanted, page, hold),
        )

    def count_events(self, parent: tuple[int, ...], wanted: EventFilter) -> Awaitable[Count]:
        """The number of wanted events of a task, a process or a job."""
        return self._load(
            ("count_events", len(parent), wanted),
            parent,
            lambda c, keys: events.count_events(c, keys, wanted),
        )

    def event(self, task_id: int, event_id: str) -> Awaitable[EventRow | None]:
        """The event of this id in a task; None where it does not exist."""
        return self._load(
            "event",
            (task_id, event_id),
            lambda c, keys: events.events_by_id(c, keys),
        )

    def samples(self, process: ProcessRow) -> Awaitable[list[SampleRow]]:
        """The history of a process, oldest first."""
        return self._load(
            "samples",
            (process.task_id, process.number),
            lambda c, keys: samples.read_samples(c, keys),
        )

    async def all_samples(self, processes: Sequence[ProcessRow]) -> list[list[SampleRow]]:
        """The history of each of these processes."""
        return list(await asyncio.gather(*(self.samples(process) for process in processes)))


def _fetch_error(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()

"""Data loaders: each level of a query that is resolved field by field is read in one statement.

There is one loader per kind of read and its arguments; its keys are the rows of the level. Loaders
live as long as an operation, so nothing is read twice in one operation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from datetime import datetime
from typing import Any

from lamia_gql.api.answer_budget import AnswerBudget
from lamia_gql.domain.access import Principal
from lamia_gql.domain.settings import Settings
from lamia_gql.graph.batch_loader import BatchLoader
from lamia_gql.graph.inputs import INPUTS
from lamia_gql.graph.reads import AnyRead, ListRead, Reads, Rows, run
from lamia_gql.storage.operation_reads import Snapshot
from lamia_gql.storage.queries import processes, tasks
from lamia_gql.storage.queries.counts import Count
from lamia_gql.storage.row_shape import RowShape
from lamia_gql.storage.rows import EventRow, ProcessRow, TaskRow


class Loaders:
    """The reads of one operation, batched.

    Counters of a process decide which of its jobs are read, so the processes given to these methods
    must have been read by the same object.

    Args:
        snapshot: where to read.
        settings: the settings of the server.
        now: the time at which liveness is judged.
        budget: what the answer may take.
        principal: who asks.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        settings: Settings,
        now: datetime,
        budget: AnswerBudget,
        principal: Principal,
    ) -> None:
        self.reads = Reads(now, settings, budget, principal)
        """What has been read so far."""
        self._snapshot = snapshot
        self._loaders: dict[Hashable, BatchLoader[Any, Any]] = {}
        self._budget = budget
        self._expected: Sequence[EventRow] = ()

    def expect(self, events: Sequence[EventRow]) -> None:
        """When the process or job of one of these events is read, read those of all of them."""
        self._expected = events

    def load(self, read: AnyRead, row: Any, full: RowShape[Any] | None = None) -> Awaitable[Any]:
        """What is read for one row; ``full`` is the shape of the rows that are read."""
        return self._load(read.key, row, lambda reads, rows: run(read, reads, rows, full))

    def count(self, read: ListRead, row: Any) -> Awaitable[Count]:
        """The length of the whole list of one row."""
        return self._load(read.count_key, row, read.count)

    def input(self, name: str, row: Any) -> Awaitable[Any]:
        """The value of an entry of ``INPUTS`` for one row."""
        return self._load(("input", name), row, INPUTS[name].read)

    def task_by_name(self, name: str) -> Awaitable[TaskRow | None]:
        """The task of this name; None where it does not exist."""
        return self._load(
            "task_by_name", name, lambda r, names: tasks.tasks_by_name(r.connection, names)
        )

    def task_by_id(self, task_id: int) -> Awaitable[TaskRow | None]:
        """The task of this id; None where it does not exist."""
        return self._load(
            "task_by_id", task_id, lambda r, ids: tasks.tasks_by_id(r.connection, ids)
        )

    def process_by_name(self, task_id: int, name: str) -> Awaitable[ProcessRow | None]:
        """The process of this name in a task; None where it does not exist."""
        return self._load(
            "process_by_name",
            (task_id, name),
            lambda r, keys: processes.processes_by_name(r.connection, keys),
        )

    def process_by_key(self, task_id: int, number: int) -> Awaitable[ProcessRow | None]:
        """The process of this number in a task; None where it does not exist."""
        return self._load(
            "process_by_key",
            (task_id, number),
            lambda r, keys: processes.processes_by_key(r.connection, keys),
        )

    def _load(
        self, kind: Hashable, key: Any, read: Callable[[Reads, Rows], Sequence[Any]]
    ) -> Awaitable[Any]:
        loader = self._loaders.get(kind)
        if loader is None:
            # Without a reference to self, which refers to the loader: that would be a cycle.
            snapshot, reads = self._snapshot, self.reads

            async def batch(keys: list[Any]) -> Sequence[Any]:
                return await snapshot.read(lambda c: read(reads.on(c), keys))

            loader = self._loaders[kind] = BatchLoader(batch, self._budget)
            if isinstance(key, EventRow):
                for other in self._expected:
                    # Perhaps nobody awaits it: asyncio is not to warn of an error that nobody
                    # fetched.
                    asyncio.ensure_future(loader.load(other)).add_done_callback(_fetch_error)
        return loader.load(key)


def _fetch_error(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()

"""The write path for events, shared by GraphQL and REST.

Requests wait while a transaction commits; the next transaction takes all that wait, up to a size.
On PostgreSQL, where one takes long, others begin beside it. Each task belongs to a lane, and no two
of them have events of the same lane, so those of a task keep their order.
Each request is answered only after its own commit, and changes are published only then (see
:mod:`lamia_gql.storage.change_feed`).

A transaction first locks the rows of its tasks. Everything that belongs to a task is written under
its lock. So servers that share a database do not lose updates of each other, and events are
numbered in the order of the commits. A transaction never waits for the lock of a task that somebody
else has: it stores the events of the other tasks. Those of the locked tasks are set aside, and a
second loop stores them as soon as it gets the locks.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext

from lamia_gql.domain.errors import ErrorCode, OutcomeUnknown, Unavailable
from lamia_gql.domain.histogram import SIZES, Histogram
from lamia_gql.domain.lifecycle import EventClass
from lamia_gql.ingest.event_batch import Outcome, record
from lamia_gql.ingest.event_input import NewEvent
from lamia_gql.ingest.event_targets import LockMode
from lamia_gql.ingest.locked_tasks import LockedTasks
from lamia_gql.ingest.open_requests import OpenRequests, locked_error
from lamia_gql.ingest.outbox import Outbox
from lamia_gql.ingest.pending_events import Part, Request, Result
from lamia_gql.ingest.transaction_turn import Begun, TransactionTurn
from lamia_gql.ingest.waiting_requests import WaitingRequests
from lamia_gql.storage.database import WRITE_MARGIN_S, Database
from lamia_gql.storage.transaction import WriteTransaction

log = logging.getLogger(__name__)

LANES = 64
"""Tasks of one lane wait for each other's transactions; on SQLite, all do."""
LOCKED_PAUSE_S = 0.02
"""Pause between two attempts to store the events of locked tasks."""
UNKNOWN_PAUSE_S = 0.05
"""Pause before events are sent again of which the database has not said whether it stored them."""


OUTCOMES = ("stored", "duplicate", "refused", "unavailable")
"""What becomes of an event; ``unavailable`` if its request is answered so."""


class Recorder:
    """Commits the events of concurrent requests together. Lives as long as the application.

    Every request is answered soon after ``database_timeout``, whatever the database does.

    Args:
        database: where to write.
        batch_size: the number of events up to which requests are committed together.
        max_waiting: the number of events that may wait for their commit.
        outbox: where notifications go, if there are any.
        trace: makes the block in which a transaction for some parts of requests is run.
    """

    def __init__(
        self,
        database: Database,
        *,
        batch_size: int,
        max_waiting: int,
        outbox: Outbox | None = None,
        trace: Callable[[Sequence[Part]], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._trace = trace
        self._batch_size = batch_size
        self._max_waiting = max_waiting
        self._waiting = WaitingRequests(max_waiting, LANES if database.has_other_servers else 1)
        self._turn = TransactionTurn()
        self._locked = LockedTasks()
        self._open = OpenRequests()
        self._work = asyncio.Event()
        """Set when there may be something to take, or no more will come."""
        self._locked_work = asyncio.Event()
        self._stopping = False
        self._loops: list[asyncio.Task[None]] = []
        self._locked_loops: list[asyncio.Task[None]] = []
        self.batch_sizes = Histogram(SIZES)
        """How many events each transaction was given."""
        self.outcomes: Counter[tuple[EventClass, str]] = Counter()
        """How many events of each class had each of the :data:`OUTCOMES`."""
        self.invalid = 0
        """How many events were refused before they came here."""

    @property
    def waiting(self) -> int:
        """The number of events that wait for their transaction."""
        return self._waiting.event_count

    @property
    def waiting_for_locks(self) -> int:
        """The number of events whose tasks others have locked."""
        return self._locked.event_count

    @property
    def lock_waits(self) -> Histogram:
        """How long tasks kept their events waiting because others had locked them."""
        return self._locked.waits

    def has_room(self, client: Hashable, events: int) -> bool:
        """Whether so many events of a client may wait now."""
        return not self._stopping and self._waiting.has_room(client, events)

    def require_room(self, client: Hashable, events: int) -> None:
        """Raise :class:`Unavailable` if so many events of a client may not wait now."""
        if not self.has_room(client, events):
            raise Unavailable(
                ErrorCode.BUSY,
                "The server is busy storing other events. Nothing was stored; try again later.",
            )

    async def record(self, events: list[NewEvent], client: Hashable = None) -> list[Result]:
        """Store the events of one request together; one outcome or error each, in order.

        Clients take turns; the requests of one are stored in their order. Returns after the commit.
        Raises :class:`Unavailable`, with nothing stored, when too many events wait already, a task
        stays locked, or the storage fails; and :class:`OutcomeUnknown` when a part of the events is
        or may be stored. Where the database has not said whether it has committed, they are stored
        again until it does: those that are stored already are found by their ids.
        """
        if not events:
            return []
        try:
            self.require_room(client, len(events))
        except Unavailable:
            self._count_unavailable(events)
            raise
        deadline = asyncio.get_running_loop().time() + self._database.timeout_s
        request = Request(events, deadline)
        self._open.add(request)
        self._waiting.add(client, request)
        self._work.set()
        try:
            return await request.answer
        except Unavailable:
            self._count_unavailable(events)
            raise

    async def start(self) -> None:
        """Start to commit events."""
        self._loops = [
            asyncio.create_task(self._run(), name="recorder")
            for _ in range(self._database.event_transactions)
        ]
        self._locked_loops = [
            asyncio.create_task(self._run_locked(), name="recorder of locked tasks")
        ]

    async def stop(self) -> None:
        """Commit the waiting events, then end; new ones, and those of locked tasks, are refused."""
        self._stopping = True
        self._work.set()
        await asyncio.gather(*self._loops)
        self._locked_work.set()
        await asyncio.gather(*self._locked_loops)
        self._open.stop()

    async def _run(self) -> None:
        while True:
            await self._turn.take()
            while not self._waiting:
                if self._stopping and not self._waiting.event_count:
                    self._turn.pass_on()
                    return
                await self._work.wait()
                self._work.clear()
            parts, lanes = self._waiting.take(self._batch_size)
            begun = self._turn.begin()
            self._set_aside(await self._commit(self._unlocked(parts), LockMode.SKIP, begun))
            self._waiting.release(lanes)
            self._work.set()
            self._turn.end(begun)

    def _unlocked(self, parts: Sequence[Part]) -> list[Part]:
        """Set aside the events of locked tasks; the others."""
        if not self._locked:
            return list(parts)
        free: list[Part] = []
        for part in parts:
            locked = [event.task in self._locked for event in part.events]
            if not any(locked):
                free.append(part)
                continue
            # Later events must not overtake those that wait for the lock.
            found: tuple[list[int], list[int]] = [], []
            for place, is_locked in zip(part.places, locked, strict=True):
                found[is_locked].append(place)
            self._set_aside([Part(part.request, found[True])])
            if found[False]:
                free.append(Part(part.request, found[False]))
        return free

    def _set_aside(self, parts: Iterable[Part]) -> None:
        for part in parts:
            waiting = self._locked.event_count
            if waiting and waiting + len(part.places) > self._max_waiting:
                part.request.fail(locked_error())
            else:
                for task, events in part.by_task().items():
                    self._locked.add(task, events)
            self._open.settle(part.request)
        if self._locked:
            self._locked_work.set()

    async def _run_locked(self) -> None:
        """Store the events of locked tasks as soon as their locks are released."""
        while True:
            await self._locked_work.wait()
            self._locked_work.clear()
            while self._locked:
                if not await self._commit_locked():
                    if self._stopping:
                        break
                    await asyncio.sleep(LOCKED_PAUSE_S)
            if self._stopping and all(loop.done() for loop in self._loops):
                return

    async def _commit_locked(self) -> bool:
        """Store what is not locked any more; whether there was anything."""
        if len(self._locked) > 1:
            taken = self._locked.take(self._batch_size)
            locked = await self._commit(taken, LockMode.SKIP)
            self._locked.put_back(locked)
            if len(locked) < len(taken):
                return True
        # Where others lock a task again and again, only who waits gets a turn.
        taken = self._locked.take(self._batch_size, tasks=1)
        locked = await self._commit(taken, LockMode.WAIT)
        self._locked.put_back(locked)
        return len(locked) < len(taken)

    async def _commit(
        self, parts: Sequence[Part], mode: LockMode, begun: Begun | None = None
    ) -> list[Part]:
        """Store and answer these parts of requests; returns what is locked by somebody else."""
        # Another part may have failed meanwhile: its client was told that nothing is stored.
        parts = [part for part in parts if not part.request.is_answered]
        if not parts:
            return []
        now = asyncio.get_running_loop().time()
        deadline = min(part.request.deadline for part in parts)
        events = [event for part in parts for event in part.events]

        def work(transaction: WriteTransaction) -> list[Result | None]:
            results = record(transaction, events, mode, self._outbox)
            if begun is not None:
                begun.is_prepared = True
            return results

        self.batch_sizes.add(len(events))
        for part in parts:
            part.request.running += 1
        try:
            with self._trace(parts):
                results = await self._database.write_events(
                    work, max(deadline - now, 0) + WRITE_MARGIN_S
                )
        except Exception as error:
            return await self._end_failed(parts, mode, error)
        for event, result in zip(events, results, strict=True):
            if result is not None:
                self.outcomes[event.event_class, _outcome(result)] += 1
        return self._end(parts, results)

    def _end(self, parts: Sequence[Part], results: Sequence[Result | None]) -> list[Part]:
        locked: list[Part] = []
        begin = 0
        for part in parts:
            end = begin + len(part.places)
            places: list[int] = []
            decided: list[Result] = []
            for place, result in zip(part.places, results[begin:end], strict=True):
                if result is not None:
                    places.append(place)
                    decided.append(result)
            begin = end
            part.request.running -= 1
            part.request.decide(places, decided)
            if len(places) < len(part.places):
                stored = set(places)
                left = [place for place in part.places if place not in stored]
                locked.append(Part(part.request, left))
            self._open.settle(part.request)
        return locked

    async def _end_failed(
        self, parts: Sequence[Part], mode: LockMode, error: Exception
    ) -> list[Part]:
        for part in parts:
            part.request.running -= 1
        first = min(part.request.deadline for part in parts)
        if isinstance(error, OutcomeUnknown) and first > asyncio.get_running_loop().time():
            # Those that are stored will be found by their ids.
            for part in parts:
                part.request.may_be_stored = True
                for event in part.events:
                    event.may_be_stored = True
            await asyncio.sleep(UNKNOWN_PAUSE_S)
            return await self._commit(parts, mode)
        if not isinstance(error, Unavailable):
            if len(parts) > 1:
                # One part makes the transaction fail: halve until it is alone, and store the
                # others.
                middle = len(parts) // 2
                return [
                    *await self._commit(parts[:middle], mode),
                    *await self._commit(parts[middle:], mode),
                ]
            only = parts[0].request
            only.context.run(log.error, "a request could not be stored", exc_info=error)
            error = Unavailable(ErrorCode.STORAGE_FAILED, "The events can't be stored.")
        if mode is LockMode.WAIT and error.code is ErrorCode.BUSY:
            for part in parts:
                self._open.settle(part.request)
            return list(parts)
        for part in parts:
            part.request.fail(error)
            self._open.settle(part.request)
        return []

    def _count_unavailable(self, events: Iterable[NewEvent]) -> None:
        self.outcomes.update((event.event_class, "unavailable") for event in events)


def _outcome(result: Result) -> str:
    if isinstance(result, Outcome):
        return "duplicate" if result.duplicate else "stored"
    return "refused"

"""Lookups of several operations, in one turn of a thread and one transaction.

To hand work to a thread and back takes longer than to find a few rows by their keys. So lookups
that come while others run wait for them, and are then done together: those of the same work in one
call.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple, TypeAlias, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from lamia_gql.storage.cancellation import CancellableRead
from lamia_gql.storage.readers import Readers
from lamia_gql.storage.transaction import ReadConnection

Q = TypeVar("Q")
T = TypeVar("T")
Work = Callable[[ReadConnection, Sequence[Q]], Sequence[T]]
"""Finds what each of several operations asks for. Equal works are called once."""
Lookup: TypeAlias = "tuple[Work[Any, Any], Any]"
"""A work, and what is asked of it."""
WaitingLookup: TypeAlias = "tuple[Lookup, asyncio.Future[Any], float]"
"""A lookup, who waits for it, and until when."""

MOST_TOGETHER = 32
"""How many lookups one transaction does."""
GATHERING_S = 0.002
"""How long a transaction waits at most for more of them, in seconds: the event loop reads requests,
and each transaction costs as much as several lookups."""


class _Failed(NamedTuple):
    error: Exception


class Lookups:
    """Does lookups: reads that take about a millisecond, however large the database is.

    Lives as long as the application. Its methods must be called in the thread of the event loop.

    Args:
        readers: where to read.
        workers: how many transactions may run at once.
    """

    def __init__(self, readers: Readers, workers: int) -> None:
        self._readers = readers
        self._limit = workers
        self._waiting: deque[WaitingLookup] = deque()
        self._workers: dict[asyncio.Task[None], list[WaitingLookup]] = {}
        """What each worker does now."""
        self._gatherer: asyncio.Task[None] | None = None
        """The worker that will take those who wait."""
        self._timer: asyncio.TimerHandle | None = None
        """One for all: a timer for each takes as long as the rest of this. It is kept until its
        time, as the next lookup would need another one."""

    async def run(self, work: Work[Q, T], asked: Q, deadline: float) -> T:
        """What ``work`` finds for ``asked``, in a transaction that begins after this call.

        If the caller is cancelled, it goes on. Raises ``TimeoutError`` after ``deadline``, by the
        time of the event loop; what the work raises for ``asked`` alone; and as
        :meth:`lamia_gql.storage.readers.Readers.run`.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._waiting.append(((work, asked), answer, deadline))
        if self._timer is None or deadline < self._timer.when():
            self._set_timer(deadline)
        self._start_if_needed()
        return await answer

    def _set_timer(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(deadline, self._end_overdue)

    def _end_overdue(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        left = []
        for _, answer, deadline in chain(self._waiting, *self._workers.values()):
            if answer.done():
                continue
            if deadline > now:
                left.append(deadline)
            else:
                answer.set_exception(TimeoutError())
        if left:
            self._set_timer(min(left))

    def _start_if_needed(self) -> None:
        if not self._waiting or self._gatherer is not None or len(self._workers) >= self._limit:
            return
        taken: list[WaitingLookup] = []
        self._gatherer = worker = asyncio.create_task(self._work(taken), name="lookups")
        self._workers[worker] = taken
        # Not at the end of the worker itself: one that is cancelled early never begins.
        worker.add_done_callback(self._end)

    async def _work(self, taken: list[WaitingLookup]) -> None:
        while self._waiting:
            await self._gather()
            taken[:] = self._take()
            results = await self._run([lookup for lookup, _, _ in taken])
            for (_, answer, _), result in zip(taken, results, strict=True):
                if answer.done():
                    continue
                if isinstance(result, _Failed):
                    answer.set_exception(result.error)
                else:
                    answer.set_result(result)
            if self._gatherer is not None:
                return
            self._gatherer = asyncio.current_task()

    def _take(self) -> list[WaitingLookup]:
        number = min(len(self._waiting), MOST_TOGETHER)
        taken = [self._waiting.popleft() for _ in range(number)]
        self._gatherer = None
        self._start_if_needed()
        # Those who do not wait any more were cancelled, or are overdue.
        return [each for each in taken if not each[1].done()]

    async def _gather(self) -> None:
        """Wait while each round of the event loop brings more lookups."""
        loop, number = asyncio.get_running_loop(), 0
        end = loop.time() + GATHERING_S
        while number < len(self._waiting) < MOST_TOGETHER and loop.time() < end:
            number = len(self._waiting)
            await asyncio.sleep(0)

    def _end(self, worker: asyncio.Task[None]) -> None:
        asked = self._workers.pop(worker)
        if self._gatherer is worker:
            self._gatherer = None
        if worker.cancelled() or worker.exception() is not None:
            # Nobody waits for ever.
            for _, answer, _ in (*asked, *self._waiting):
                answer.cancel()
            self._waiting.clear()
        else:
            # For those who came after its last look.
            self._start_if_needed()

    async def _run(self, lookups: Sequence[Lookup]) -> list[Any]:
        if not lookups:
            return []
        try:
            read = CancellableRead(partial(_run_all, lookups=lookups))
            return await self._readers.run(read, None)
        except SQLAlchemyError as error:
            # It has ended the transaction, and is that of one of them.
            if len(lookups) == 1:
                return [_Failed(error)]
            return [(await self._run([lookup]))[0] for lookup in lookups]
        except Exception as error:
            return [_Failed(error)] * len(lookups)


def _run_all(connection: ReadConnection, lookups: Sequence[Lookup]) -> list[Any]:
    places: dict[Work[Any, Any], list[int]] = {}
    for place, (work, _) in enumerate(lookups):
        places.setdefault(work, []).append(place)
    found: list[Any] = [None] * len(lookups)
    for work, own in places.items():
        results = _call(work, connection, [lookups[place][1] for place in own])
        for place, result in zip(own, results, strict=True):
            found[place] = result
    return found


def _call(work: Work[Any, Any], connection: ReadConnection, asked: Sequence[Any]) -> Sequence[Any]:
    try:
        return work(connection, asked)
    except SQLAlchemyError:
        raise
    except Exception as error:
        if len(asked) == 1:
            # Who waits for it is in a cycle with it: it must not keep what was read.
            return [_Failed(error.with_traceback(None))]
    # It is that of one of them.
    return [_call(work, connection, [each])[0] for each in asked]

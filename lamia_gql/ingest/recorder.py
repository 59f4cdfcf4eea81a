"""The write path for events, shared by GraphQL and REST.

Requests wait in a queue while a transaction commits; the next transaction takes all that wait.
Each request is answered only after its own commit, and changes are published only then (see
:mod:`lamia_gql.storage.change_feed`).

A transaction first locks the rows of its tasks, in the order of their ids. Everything that belongs
to a task is written under its lock. So servers that share a database neither deadlock nor lose
updates of each other, and events are numbered in the order of the commits.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from lamia_gql.domain.errors import ErrorCode, Unavailable, UserError
from lamia_gql.ingest.event_batch import Outcome, record
from lamia_gql.ingest.event_input import NewEvent
from lamia_gql.storage.change_feed import Change
from lamia_gql.storage.database import Database
from lamia_gql.storage.rows import EventRow
from lamia_gql.storage.transaction import WriteTransaction

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Request:
    events: list[NewEvent]
    answer: asyncio.Future[list[Outcome | UserError]]


class Recorder:
    """Commits the events of concurrent requests together. Lives as long as the application.

    Args:
        database: where to write.
        batch_size: the number of events up to which requests are committed together.
        max_waiting: the number of events that may wait for their commit.
    """

    def __init__(self, database: Database, *, batch_size: int, max_waiting: int) -> None:
        self._database = database
        self._batch_size = batch_size
        self._max_waiting = max_waiting
        self._waiting: deque[_Request] = deque()
        self._waiting_events = 0
        self._work = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    async def record(self, events: list[NewEvent]) -> list[Outcome | UserError]:
        """Store the events of one request together; one outcome or error each, in order.

        Returns after the commit. Raises :class:`Unavailable`, with nothing stored, when too many
        events wait already or the storage fails.
        """
        if not events:
            return []
        if self._stopping or (
            self._waiting_events and self._waiting_events + len(events) > self._max_waiting
        ):
            raise Unavailable(
                ErrorCode.BUSY,
                "The server is busy storing other events. Nothing was stored; try again later.",
            )
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append(_Request(events, answer))
        self._waiting_events += len(events)
        self._work.set()
        # A client that disconnects does not withdraw its events.
        return await asyncio.shield(answer)

    async def start(self) -> None:
        """Start to commit events."""
        self._task = asyncio.create_task(self._run(), name="recorder")

    async def stop(self) -> None:
        """Commit the waiting events, then end; new ones are refused as BUSY."""
        self._stopping = True
        self._work.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while self._waiting:
                await self._commit(self._next_batch())
            if self._stopping:
                return

    def _next_batch(self) -> list[_Request]:
        taken = [self._waiting.popleft()]
        size = len(taken[0].events)
        while self._waiting and size + len(self._waiting[0].events) <= self._batch_size:
            taken.append(self._waiting.popleft())
            size += len(taken[-1].events)
        self._waiting_events -= size
        return taken

    async def _commit(self, requests: list[_Request]) -> None:
        events = [event for request in requests for event in request.events]

        def work(transaction: WriteTransaction) -> list[Outcome | UserError]:
            outcomes = record(transaction.connection, events)
            transaction.publish_on_commit(_changes(outcomes))
            return outcomes

        try:
            outcomes = await self._database.write(work)
        except Unavailable as error:
            _fail(requests, error)
        except Exception:
            if len(requests) == 1:
                log.exception("a request of %d events could not be stored", len(events))
                _fail(
                    requests, Unavailable(ErrorCode.STORAGE_FAILED, "The events can't be stored.")
                )
                return
            # One request makes the transaction fail: halve until it is alone, and store the others.
            middle = len(requests) // 2
            await self._commit(requests[:middle])
            await self._commit(requests[middle:])
        else:
            self._answer(requests, outcomes)

    def _answer(self, requests: list[_Request], outcomes: list[Outcome | UserError]) -> None:
        begin = 0
        for request in requests:
            end = begin + len(request.events)
            if not request.answer.done():
                request.answer.set_result(outcomes[begin:end])
            begin = end


def _changes(outcomes: Iterable[Outcome | UserError]) -> list[Change]:
    added: dict[int, list[EventRow]] = {}
    for outcome in outcomes:
        if isinstance(outcome, Outcome) and not outcome.duplicate:
            added.setdefault(outcome.event.task_id, []).append(outcome.event)
    return [Change(task_id, new[-1].seq, events=new) for task_id, new in added.items()]


def _fail(requests: list[_Request], error: Unavailable) -> None:
    for request in requests:
        if not request.answer.done():
            request.answer.set_exception(error)
            # Nobody fetches the answer of a client that disconnected: asyncio is not to warn of it.
            request.answer.exception()

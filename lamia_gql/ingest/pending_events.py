"""Events that wait for their commit: by request, and by the task that is locked."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextvars import copy_context
from typing import NamedTuple

from lamia_gql.domain.errors import OutcomeUnknown, Unavailable, UserError
from lamia_gql.domain.histogram import SECONDS, Histogram
from lamia_gql.ingest.event_batch import Outcome
from lamia_gql.ingest.event_input import NewEvent

Result = Outcome | UserError


class Request:
    """The events of one request, and what became of them so far.

    Args:
        events: at least one event.
        deadline: when it must have been answered, in the time of the event loop.
    """

    __slots__ = (
        "_results",
        "_undecided",
        "answer",
        "context",
        "deadline",
        "events",
        "is_answered",
        "may_be_stored",
        "running",
    )

    def __init__(self, events: Sequence[NewEvent], deadline: float) -> None:
        self.events = events
        self.deadline = deadline
        self.answer: asyncio.Future[list[Result]] = asyncio.get_running_loop().create_future()
        """The results in the order of the events, or why there are none.

        It is cancelled with the task that waits for it, which does not withdraw the events.
        """
        self.is_answered = False
        """Whether all is decided, or the request has failed."""
        self.may_be_stored = False
        """Whether it is unknown if a transaction that had a part of it was committed."""
        self.context = copy_context()
        """In which a line of the log about this request alone is written."""
        self.running = 0
        """How many transactions record a part of it now."""
        self._results: list[Result | None] = [None] * len(events)
        self._undecided = len(events)

    def decide(self, places: Sequence[int], results: Iterable[Result]) -> None:
        """Take the results of some of the events; answer, if they are the last ones."""
        for place, result in zip(places, results, strict=True):
            self._results[place] = result
        self._undecided -= len(places)
        if self._undecided or self.is_answered:
            return
        self.is_answered = True
        if not self.answer.done():
            self.answer.set_result([result for result in self._results if result is not None])

    def fail(self, error: Unavailable) -> None:
        """Answer with an error: this one, unless a part of the request is or may be stored."""
        if self.is_answered:
            return
        is_stored = any(isinstance(result, Outcome) for result in self._results)
        if self.running or self.may_be_stored or is_stored:
            error = OutcomeUnknown()
        self.is_answered = True
        if not self.answer.done():
            self.answer.set_exception(error)
            # It may be cancelled before it fetches this: asyncio is not to warn of it.
            self.answer.exception()


class Part(NamedTuple):
    """Some events of a request, by their places in it."""

    request: Request
    places: Sequence[int]

    @property
    def events(self) -> list[NewEvent]:
        """The events, in the order of the request."""
        return [self.request.events[place] for place in self.places]

    def by_task(self) -> dict[str, Part]:
        """The events of each task, by its name."""
        places: dict[str, list[int]] = {}
        for place in self.places:
            places.setdefault(self.request.events[place].task, []).append(place)
        return {task: Part(self.request, found) for task, found in places.items()}


class LockedTasks:
    """The events of tasks that somebody else has locked: in their order, for each task."""

    def __init__(self) -> None:
        self._parts: dict[str, deque[Part]] = {}
        self._since: dict[str, float] = {}
        """Since when each of the tasks has been here."""
        self.event_count = 0
        self.waits = Histogram(SECONDS)
        """How long each task was here."""

    def __len__(self) -> int:
        """The number of tasks."""
        return len(self._parts)

    def __contains__(self, task: str) -> bool:
        return task in self._parts

    def add(self, task: str, part: Part) -> None:
        """Add events of one task behind its others."""
        if task not in self._parts:
            self._parts[task] = deque()
            self._since[task] = time.monotonic()
        self._parts[task].append(part)
        self.event_count += len(part.places)

    def take(self, limit: int, tasks: int | None = None) -> list[Part]:
        """Remove the first events: about ``limit`` at most, and of so many tasks at most.

        Their tasks remain here until :meth:`put_back` is called, so that later events wait behind
        these. Events of requests that were answered are dropped.
        """
        taken: list[Part] = []
        size = 0
        for parts in list(self._parts.values())[:tasks]:
            while parts and (not taken or size + len(parts[0].places) <= limit):
                part = parts.popleft()
                self.event_count -= len(part.places)
                if not part.request.is_answered:
                    taken.append(part)
                    size += len(part.places)
        return taken

    def put_back(self, parts: Sequence[Part]) -> None:
        """Return those of the taken events that are still locked, and forget tasks without events.

        Their tasks get behind all others.
        """
        for part in reversed(parts):
            self._parts[_task(part)].appendleft(part)
            self.event_count += len(part.places)
        for task in {_task(part): None for part in parts}:
            self._parts[task] = self._parts.pop(task)
        for task in [task for task, waiting in self._parts.items() if not waiting]:
            del self._parts[task]
            self.waits.add(time.monotonic() - self._since.pop(task))


def _task(part: Part) -> str:
    return part.request.events[part.places[0]].task

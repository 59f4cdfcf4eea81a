"""The events of requests that wait for their commit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextvars import copy_context
from typing import NamedTuple

from lamia_gql.domain.errors import OutcomeUnknown, Unavailable, UserError
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

    @property
    def task(self) -> str:
        """The name of the task of its first event: of all, where it is of one task."""
        return self.request.events[self.places[0]].task

    def by_task(self) -> dict[str, Part]:
        """The events of each task, by its name."""
        places: dict[str, list[int]] = {}
        for place in self.places:
            places.setdefault(self.request.events[place].task, []).append(place)
        return {task: Part(self.request, found) for task, found in places.items()}

"""The requests that are not answered yet: each is answered at its deadline at the latest."""

from __future__ import annotations

import asyncio

from lamia_gql.domain.errors import ErrorCode, Unavailable
from lamia_gql.ingest.pending_events import Request


class OpenRequests:
    """Requests in the order of their deadlines. To be used in the thread of the event loop."""

    def __init__(self) -> None:
        self._requests: dict[Request, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        """Rings at the deadline of the first of them, or earlier."""

    def add(self, request: Request) -> None:
        """Add a request, whose deadline is the last of all."""
        self._requests[request] = None
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(request.deadline, self._expire)

    def settle(self, request: Request) -> None:
        """Forget a request if it is answered; answer it if its time is over."""
        if (
            not request.is_answered
            and not request.running
            and request.deadline <= asyncio.get_running_loop().time()
        ):
            request.fail(locked_error())
        if request.is_answered:
            self._requests.pop(request, None)

    def stop(self) -> None:
        """Answer all that is left, and end the timer."""
        for request in list(self._requests):
            request.fail(locked_error())
        if self._timer is not None:
            self._timer.cancel()

    def _expire(self) -> None:
        """Answer the requests whose time is over, unless a transaction is about to decide them."""
        loop = asyncio.get_running_loop()
        due = []
        for request in self._requests:
            if request.deadline > loop.time():
                break
            due.append(request)
        for request in due:
            self.settle(request)
            # The end of its transaction settles what is still open.
            self._requests.pop(request, None)
        first = next(iter(self._requests), None)
        self._timer = None if first is None else loop.call_at(first.deadline, self._expire)


def locked_error() -> Unavailable:
    """Why a request could not be stored in time."""
    return Unavailable(
        ErrorCode.BUSY,
        "The events could not be stored in time: another transaction keeps a task locked, or the"
        " database is too slow. Nothing was stored; try again later.",
    )

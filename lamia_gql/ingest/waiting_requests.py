"""Requests that wait for their transaction: clients take turns, and each has its own in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable

from lamia_gql.ingest.pending_events import Request

CLIENT_SHARE = 2
"""One client may have this part of all events that may wait: one half."""


class WaitingRequests:
    """A queue in which nobody waits for the whole of what somebody else has sent before.

    Args:
        max_events: the number of events that may wait.
    """

    def __init__(self, max_events: int) -> None:
        self._max_events = max_events
        self._queues: dict[Hashable, deque[Request]] = {}
        """By client, whose turn is next at the front."""
        self._events: dict[Hashable, int] = {}
        self.event_count = 0
        """The number of events of all requests."""

    def __bool__(self) -> bool:
        return bool(self._queues)

    def has_room(self, client: Hashable, events: int) -> bool:
        """Whether a request of so many events may wait; one that is alone may have any number."""
        own = self._events.get(client, 0)
        return not self.event_count or (
            self.event_count + events <= self._max_events
            and (not own or own + events <= self._max_events // CLIENT_SHARE)
        )

    def add(self, client: Hashable, request: Request) -> None:
        """Let a request wait behind the others of its client."""
        self._queues.setdefault(client, deque()).append(request)
        self._events[client] = self._events.get(client, 0) + len(request.events)
        self.event_count += len(request.events)

    @property
    def first(self) -> Request:
        """The request that is taken next."""
        return next(iter(self._queues.values()))[0]

    def take(self) -> Request:
        """Take the first request; then it is another client's turn."""
        client, queue = next(iter(self._queues.items()))
        request = queue.popleft()
        del self._queues[client]
        self._events[client] -= len(request.events)
        self.event_count -= len(request.events)
        if queue:
            self._queues[client] = queue
        else:
            del self._events[client]
        return request

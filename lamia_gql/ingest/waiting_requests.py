"""Requests that wait for their transaction: clients take turns, and each has its own in order."""

from __future__ import annotations

from collections.abc import Hashable
from heapq import heapify, heappop, heappush

from lamia_gql.ingest.pending_events import Part, Request

CLIENT_SHARE = 2
"""One client may have this part of all events that may wait: one half."""

Turn = tuple[int, int, int]
"""When a request is taken: the round, the number of its client, and the number of the request."""


class _Client:
    """A client with requests that wait."""

    __slots__ = ("events", "number", "round")

    def __init__(self, number: int) -> None:
        self.number = number
        self.round = 0
        """The round of its last request."""
        self.events = 0


class WaitingRequests:
    """A queue in which nobody waits for the whole of what somebody else has sent before.

    In each round, each client has one request taken. Each task belongs to a lane, and so do its
    events. The events of a lane that were taken hold it: no others of it are taken until
    :meth:`release` is called, so those of a task keep their order.

    Args:
        max_events: the number of events that may wait.
        lanes: the number of lanes.
    """

    def __init__(self, max_events: int, lanes: int = 1) -> None:
        self._max_events = max_events
        self._lanes: list[list[tuple[Turn, Hashable, Part]]] = [[] for _ in range(lanes)]
        """Heaps of what waits in each lane."""
        self._free: list[tuple[Turn, int]] = []
        """A heap of the first turns of those lanes that nobody holds."""
        self._held: set[int] = set()
        self._clients: dict[Hashable, _Client] = {}
        self._joined = 0
        """How many clients have begun to wait so far."""
        self._requests = 0
        """How many requests have waited so far."""
        self._round = 0
        """The latest round of which something was taken."""
        self.event_count = 0
        """The number of events of all requests."""

    def __bool__(self) -> bool:
        """Whether there is something to take."""
        return bool(self._free)

    def has_room(self, client: Hashable, events: int) -> bool:
        """Whether a request of so many events may wait; one that is alone may have any number."""
        known = self._clients.get(client)
        own = known.events if known is not None else 0
        return not self.event_count or (
            self.event_count + events <= self._max_events
            and (not own or own + events <= self._max_events // CLIENT_SHARE)
        )

    def add(self, client: Hashable, request: Request) -> None:
        """Let a request wait behind the others of its client."""
        known = self._clients.get(client)
        if known is None:
            self._joined += 1
            known = self._clients[client] = _Client(self._joined)
        known.round = max(known.round, self._round) + 1
        known.events += len(request.events)
        self.event_count += len(request.events)
        self._requests += 1
        turn = known.round, known.number, self._requests
        for number, places in self._places(request).items():
            lane = self._lanes[number]
            if number not in self._held and (not lane or turn < lane[0][0]):
                if lane:
                    self._free.remove((lane[0][0], number))
                    heapify(self._free)
                heappush(self._free, (turn, number))
            heappush(lane, (turn, client, Part(request, places)))

    def _places(self, request: Request) -> dict[int, list[int]]:
        """The places of the events of each lane."""
        found: dict[int, list[int]] = {}
        for place, event in enumerate(request.events):
            found.setdefault(hash(event.task) % len(self._lanes), []).append(place)
        return found

    def take(self, limit: int) -> tuple[list[Part], set[int]]:
        """Take what is next, about ``limit`` events at most; its parts, and the lanes it holds.

        Parts of requests that were answered are dropped.
        """
        parts: list[Part] = []
        lanes: set[int] = set()
        size = 0
        while self._free:
            turn, number = self._free[0]
            lane = self._lanes[number]
            part = lane[0][2]
            if size and size + len(part.places) > limit:
                break
            heappop(self._free)
            _, client, _ = heappop(lane)
            if lane:
                heappush(self._free, (lane[0][0], number))
            self._round = max(self._round, turn[0])
            self._forget(client, len(part.places))
            if not part.request.is_answered:
                parts.append(part)
                lanes.add(number)
                size += len(part.places)
        if lanes:
            self._held |= lanes
            self._free = [entry for entry in self._free if entry[1] not in lanes]
            heapify(self._free)
        return parts, lanes

    def _forget(self, client: Hashable, events: int) -> None:
        known = self._clients[client]
        known.events -= events
        self.event_count -= events
        if not known.events:
            del self._clients[client]

    def release(self, lanes: set[int]) -> None:
        """Let others have these lanes."""
        self._held -= lanes
        for number in lanes:
            if lane := self._lanes[number]:
                heappush(self._free, (lane[0][0], number))

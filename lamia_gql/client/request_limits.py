"""What one request may hold; learned from what the server, and proxies before it, refuse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lamia_gql.client.event import Event, encode_json

MAX_EVENTS_PER_REQUEST = 200
MAX_REQUEST_BYTES = 512 * 1024
"""How many bytes of events a request has at most, unless one event has more. Proxies often accept
no more than 1 MiB."""
LARGE_PAYLOAD_BYTES = 4 * 1024
"""The size from which a payload may be too large for the server."""


class RequestLimits:
    """The limits of one run. They only ever get smaller."""

    def __init__(self) -> None:
        self.max_events = MAX_EVENTS_PER_REQUEST
        self.max_bytes = MAX_REQUEST_BYTES
        self.takes_details = True
        """Whether the server knows the fields in ``DETAIL_FIELDS``."""

    def split(self, events: Sequence[Event]) -> Iterator[list[Event]]:
        """Split events into requests; an event that is too large gets one of its own.

        An event with a large payload is the last one of its job in a request. If the server
        refuses the payload, the event is sent again before those that follow it.
        """
        request: list[Event] = []
        total = 0
        jobs_with_large: set[str] = set()
        for event in events:
            size = encoded_size(event)
            is_full = len(request) >= self.max_events or total + size > self.max_bytes
            if request and (is_full or event.job in jobs_with_large):
                yield request
                request, total, jobs_with_large = [], 0, set()
            request.append(event)
            total += size
            if size > LARGE_PAYLOAD_BYTES:
                jobs_with_large.add(event.job)
        if request:
            yield request

    def note_events(self, count: int) -> None:
        """Note that requests with more than ``count`` events are refused, whatever is in them."""
        self.max_events = max(1, min(self.max_events, count))

    def note_too_large(self, events: Sequence[Event]) -> None:
        """Note that a request with these events was too large: try half of it."""
        self.max_bytes = min(self.max_bytes, sum(map(encoded_size, events)) // 2)


def encoded_size(event: Event) -> int:
    """Return the number of bytes of an event's JSON; 0 if it has none."""
    try:
        return len(encode_json(event.fields))
    except Exception:
        return 0  # sending it finds out why

"""The events of a process that are neither stored nor spooled yet."""

from __future__ import annotations

from collections.abc import Iterable

from lamia_gql.client.event import Event
from lamia_gql.client.request_limits import encoded_size

MAX_WAITING_EVENTS = 10_000
"""How many events wait in memory if they can't be spooled."""
MAX_WAITING_BYTES = 64 * 1024 * 1024
"""How many bytes of JSON these may have: as many as a spool."""
CHECK_BYTES = MAX_WAITING_BYTES // 8
"""After how many more bytes these are counted again."""
BYTES_WITHOUT_PAYLOAD = 512
"""About what an event without a payload has."""


class WaitingEvents:
    """Events by their ids, the oldest first; bounded.

    Threads and signal handlers use it without a lock, so each step is one of ``dict``.
    """

    def __init__(self) -> None:
        self._found: dict[str, tuple[Event, int]] = {}
        """Each event with its size."""
        self._unchecked_bytes = 0

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self._found)

    def __contains__(self, event: Event) -> bool:
        """Return whether an event waits."""
        return event.id in self._found

    def add(self, event: Event) -> bool:
        """Add an event; returns whether there is room, or else others were dropped for it.

        Those of the lowest priority go first, and of these the oldest.
        """
        size = encoded_size(event) if "payload" in event.fields else BYTES_WITHOUT_PAYLOAD
        self._found[event.id] = event, size
        self._unchecked_bytes += size
        if len(self._found) <= MAX_WAITING_EVENTS and self._unchecked_bytes < CHECK_BYTES:
            return True
        self._unchecked_bytes = 0
        return not self._drop()

    def _drop(self) -> int:
        """Drop events until those that are left have room; returns how many."""
        found = sorted(self._copy(), key=lambda each: each[0].priority)
        total = sum(size for _, size in found)
        number = 0
        for event, size in found[:-1]:
            if len(found) - number <= MAX_WAITING_EVENTS and total <= MAX_WAITING_BYTES:
                break
            self.remove([event])
            total -= size
            number += 1
        return number

    def remove(self, events: Iterable[Event]) -> None:
        """Remove those of these events that wait."""
        for event in events:
            self._found.pop(event.id, None)

    def snapshot(self) -> list[Event]:
        """Return all events."""
        return [event for event, _ in self._copy()]

    def _copy(self) -> list[tuple[Event, int]]:
        return list(self._found.copy().values())

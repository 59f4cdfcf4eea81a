"""Tasks that somebody else has locked, and their events, which wait until that ends."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from lamia_gql.domain.histogram import SECONDS, Histogram
from lamia_gql.ingest.pending_events import Part


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
            self._parts[part.task].appendleft(part)
            self.event_count += len(part.places)
        for task in {part.task: None for part in parts}:
            self._parts[task] = self._parts.pop(task)
        for task in [task for task, waiting in self._parts.items() if not waiting]:
            del self._parts[task]
            self.waits.add(time.monotonic() - self._since.pop(task))

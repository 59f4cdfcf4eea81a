"""Subscribers to events, found by what an event is rather than by trying all of their filters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lamia_gql.domain.lifecycle import EventClass
from lamia_gql.live.pubsub import ServerStopping, StreamEnded, Subscriber
from lamia_gql.storage.filters import EventFilter
from lamia_gql.storage.rows import EventRow

Place = tuple[int | None, int | None]
"""A process and a job of it; None for all."""
Group = set[Subscriber[EventRow]]
"""The subscribers with the same filter."""
Groups = dict[tuple[EventClass, ...] | None, Group]


class EventSubscribers:
    """Subscribers by task, process, job and classes of events. Lives as long as the application.

    Subscribers of other tasks, processes and jobs cost nothing when an event is published, and
    equal filters are evaluated once. All methods must be called in the thread of the event loop.
    """

    def __init__(self) -> None:
        self._tasks: dict[int, dict[Place, Groups]] = {}
        self._stopped = False

    def __len__(self) -> int:
        """The number of subscribers."""
        return sum(len(group) for task_id in self._tasks for group in self._groups(task_id))

    def __contains__(self, task_id: object) -> bool:
        return task_id in self._tasks

    def __iter__(self) -> Iterator[int]:
        """The ids of the tasks that have subscribers."""
        return iter(self._tasks)

    @contextmanager
    def subscribe(
        self, subscriber: Subscriber[EventRow], task_id: int, wanted: EventFilter
    ) -> Iterator[None]:
        """Subscribe to the wanted events of a task until the block is left."""
        if self._stopped:
            subscriber.end(ServerStopping())
        place = wanted.process_number, wanted.job_index
        places = self._tasks.setdefault(task_id, {})
        groups = places.setdefault(place, {})
        groups.setdefault(wanted.classes, set()).add(subscriber)
        try:
            yield
        finally:
            groups[wanted.classes].discard(subscriber)
            if not groups[wanted.classes]:
                del groups[wanted.classes]
            if not groups:
                del places[place]
            if not places:
                del self._tasks[task_id]

    def publish(self, task_id: int, events: Sequence[EventRow]) -> None:
        """Queue events of a task for all subscribers that want them."""
        places = self._tasks.get(task_id)
        if places is None:
            return
        wanted: dict[tuple[Place, tuple[EventClass, ...] | None], list[EventRow]] = {}
        for event in events:
            number, index = event.process_number, event.job_index
            own: tuple[Place, ...] = ((None, None), (number, None), (number, index), (None, index))
            for place in own:
                for classes in places.get(place, ()):
                    if classes is None or event.event_class in classes:
                        wanted.setdefault((place, classes), []).append(event)
        for (place, classes), found in wanted.items():
            for subscriber in places[place][classes]:
                subscriber.add(found)

    def longest_queue(self, task_id: int) -> int:
        """The largest number of events that wait for a subscriber of a task."""
        queues = (subscriber.waiting for group in self._groups(task_id) for subscriber in group)
        return max(queues, default=0)

    def end(self, task_id: int) -> None:
        """End all subscribers of a task, because it does not exist any more."""
        for group in self._groups(task_id):
            for subscriber in group:
                subscriber.end(StreamEnded())

    def stop(self) -> None:
        """End all subscribers, present and future ones, because the server stops."""
        self._stopped = True
        for task_id in self._tasks:
            for group in self._groups(task_id):
                for subscriber in group:
                    subscriber.end(ServerStopping())

    def _groups(self, task_id: int) -> Iterator[Group]:
        for groups in self._tasks.get(task_id, {}).values():
            yield from groups.values()

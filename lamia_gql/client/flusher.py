"""Sends the events in the spool, request by request, the oldest first."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from lamia_gql.client.delivery import DeliveryResult, can_submit_nothing, deliver
from lamia_gql.client.event import Event
from lamia_gql.client.request_limits import MAX_EVENTS_PER_REQUEST, RequestLimits
from lamia_gql.client.server_connection import ServerConnection
from lamia_gql.client.spool import Spool
from lamia_gql.client.spool_file_name import job_of_file

MAX_STUCK_EVENTS = 3
"""How many more events may make the server fail in one pass before that is an outage."""


class Flusher:
    """Sends a spool: stored events are removed, refused ones moved to ``refused/``, others stay.

    Args:
        connection: Where to send the events.
        spool: The spool to send.
        limits: How much to send at once.
    """

    def __init__(
        self, connection: ServerConnection, spool: Spool, limits: RequestLimits | None = None
    ) -> None:
        self._connection = connection
        self._spool = spool
        self._limits = limits or RequestLimits()
        self._failures = 0
        self._stuck: set[str] = set()
        """The ids of events that make the server fail, which accepts others."""
        self._suspects: set[str] = set()
        """The ids of events that have made the server fail in this pass."""

    def flush(self, names: Iterable[str] | None = None) -> Iterator[DeliveryResult]:
        """Send what is in the spool now; yields a result per group. Ends at the first failure.

        The events of a job are sent in their order. After one that is kept, the later ones of its
        job are kept too, unless it is the event that makes the server fail.

        Args:
            names: The files to send; all if None.
        """
        groups = self._spool.group_files(self._spool.file_names() if names is None else names)
        if self._failures:
            # The cause may be one event that makes the server fail. It must not block other jobs,
            # so requests get smaller, and jobs come in a random order.
            groups = _shuffle_jobs(groups)
        size = max(1, MAX_EVENTS_PER_REQUEST >> self._failures)
        held_jobs: set[str] = set()
        self._suspects = set()
        has_stored = False
        for files, events in self._read(groups, size):
            result = self._send(events, size, held_jobs)
            self._store_result(files, result)
            has_stored = has_stored or bool(result.stored)
            self._failures = 0 if result.failure is None else self._failures + 1
            yield result
            if result.failure is not None:
                break
        if has_stored:
            self._stuck |= self._suspects

    def are_stuck(self, events: Iterable[Event]) -> bool:
        """Whether each of these events makes the server fail, so that others need not wait."""
        return all(event.id in self._stuck for event in events)

    def _read(
        self, groups: Iterable[Sequence[str]], size: int
    ) -> Iterator[tuple[dict[str, list[Event]], list[Event]]]:
        """Yield files, and their events in order, of one task each.

        A token may be valid for no other task.
        """
        waiting: dict[object, tuple[dict[str, list[Event]], list[Event]]] = {}
        for names in groups:
            found = dict(self._read_files(names))
            events = [event for events in found.values() for event in events]
            # Files of older versions have no order in them.
            events.sort(key=lambda event: (event.order, str(event.fields.get("sentAt"))))
            for task in dict.fromkeys(event.fields["task"] for event in events):
                all_files, all_events = waiting.setdefault(task, ({}, []))
                all_files.update(
                    (name, kept) for name, kept in found.items() if kept[0].fields["task"] == task
                )
                all_events += [event for event in events if event.fields["task"] == task]
                if len(all_events) >= size:
                    yield waiting.pop(task)
        yield from waiting.values()

    def _read_files(self, names: Iterable[str]) -> Iterator[tuple[str, list[Event]]]:
        for name in names:
            try:
                events = self._spool.read(name)
            except OSError:
                continue
            if events:
                yield name, events
            else:
                self._spool.remove(name)

    def _send(self, events: list[Event], size: int, held_jobs: set[str]) -> DeliveryResult:
        total = DeliveryResult()
        waiting = list(events)
        while waiting:
            # An event that has made the server fail is sent alone.
            is_stuck = [event.id in self._stuck for event in waiting[:size]]
            count = 1 if is_stuck[0] else (is_stuck.index(True) if any(is_stuck) else size)
            batch = waiting[:count]
            del waiting[:count]
            if total.failure is not None:
                total.kept += batch
                continue
            result = deliver(self._connection, batch, self._limits, held_jobs)
            if result.failure is not None and result.may_be_event and len(batch) == 1:
                result = self._send_alone(batch[0], result, held_jobs)
            total.add(result)
        return total

    def _send_alone(
        self, event: Event, result: DeliveryResult, held_jobs: set[str]
    ) -> DeliveryResult:
        """Find out whether a failure is caused by an event; then keep it, and go on without it.

        One that has made the server fail in an earlier pass is sent with less and less in it.
        """
        smaller: Event | None = event
        while smaller is not None and can_submit_nothing(self._connection):
            # The first time as it is: the server may just have recovered.
            result = deliver(self._connection, [smaller], self._limits, held_jobs)
            if result.kept:
                result.kept = [event]
            if result.failure is None or not result.may_be_event:
                return result
            is_known = event.id in self._stuck
            smaller = (smaller.shortened() or smaller.bare()) if is_known else None
        is_tolerable = event.id in self._stuck or len(self._suspects) < MAX_STUCK_EVENTS
        if smaller is None and is_tolerable:
            self._suspects.add(event.id)
            result.failure = None
        return result

    def _store_result(self, files: dict[str, list[Event]], result: DeliveryResult) -> None:
        for refused in result.refused:
            self._spool.add_refused(*refused)
        kept = {event.id for event in result.kept}
        for name, found in files.items():
            rest = [event for event in found if event.id in kept]
            if len(rest) < len(found):
                try:
                    self._spool.replace(name, rest)
                except OSError:
                    pass  # the file stays: the server recognises the events that it has


def _shuffle_jobs(groups: Iterable[list[str]]) -> list[list[str]]:
    """Order the jobs by chance; each job's own files keep their order."""
    places: dict[str, bytes] = {}
    return sorted(groups, key=lambda names: places.setdefault(job_of_file(names[0]), os.urandom(8)))

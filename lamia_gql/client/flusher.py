"""Sends the events in the spool, request by request."""

from __future__ import annotations

import random
from collections.abc import Iterator

from lamia_gql.client.delivery import DeliveryResult, deliver
from lamia_gql.client.event import Event
from lamia_gql.client.server_connection import ServerConnection
from lamia_gql.client.spool import Spool

MAX_EVENTS_PER_REQUEST = 200


class Flusher:
    """Sends a spool: stored events are removed, refused ones moved to ``refused/``, others stay."""

    def __init__(self, connection: ServerConnection, spool: Spool) -> None:
        self._connection = connection
        self._spool = spool
        self._failures = 0

    def flush(self) -> Iterator[DeliveryResult]:
        """Send what is in the spool now; yields a result per group. Ends at the first failure."""
        names = self._spool.file_names_by_priority()
        if self._failures:
            # The cause may be one event that makes the server fail. It must not block the others,
            # so requests get smaller and start at random files.
            random.shuffle(names)
        size = max(1, MAX_EVENTS_PER_REQUEST >> self._failures)
        for group in self._group_by_task(names, size):
            result = self._send_files(group, size)
            self._failures = 0 if result.failure is None else self._failures + 1
            yield result
            if result.failure is not None:
                return

    def _group_by_task(self, names: list[str], size: int) -> Iterator[dict[str, list[Event]]]:
        """Yield files with events of one task each: its token may be valid for no other task."""
        groups: dict[object, dict[str, list[Event]]] = {}
        for name in names:
            try:
                events = self._spool.read(name)
            except OSError:
                continue
            if not events:
                self._spool.remove(name)
                continue
            task = events[0].fields["task"]
            group = groups.setdefault(task, {})
            group[name] = events
            if sum(map(len, group.values())) >= size:
                yield groups.pop(task)
        yield from groups.values()

    def _send_files(self, files: dict[str, list[Event]], size: int) -> DeliveryResult:
        events = [event for found in files.values() for event in found]
        total = DeliveryResult()
        for begin in range(0, len(events), size):
            batch = events[begin : begin + size]
            if total.failure is None:
                total.add(deliver(self._connection, batch))
            else:
                total.kept += batch
        for refused in total.refused:
            self._spool.add_refused(*refused)
        kept = {event.id for event in total.kept}
        for name, found in files.items():
            rest = [event for event in found if event.id in kept]
            if len(rest) < len(found):
                try:
                    self._spool.replace(name, rest)
                except OSError:
                    pass  # the file stays: the server recognises the events that it has
        return total

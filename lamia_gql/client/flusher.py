"""Sends what lies in the spool, a request at a time."""

from __future__ import annotations

import random
from collections.abc import Iterator

from lamia_gql.client.connection import Connection
from lamia_gql.client.delivery import Delivery, deliver
from lamia_gql.client.event import Event
from lamia_gql.client.spool import Spool

BATCH = 200
"""Events in one request, at most."""


class Flusher:
    """Goes through a spool; what is refused for good is put aside, what can't be sent stays."""

    def __init__(self, connection: Connection, spool: Spool) -> None:
        self._connection = connection
        self._spool = spool
        self._failures = 0

    def steps(self) -> Iterator[Delivery]:
        """Send what is in the spool now; one delivery a request. Ends at the first trouble."""
        names = self._spool.in_order()
        if self._failures:
            # The trouble may be one event that makes the server stumble: it must not hold up the
            # others, so ever smaller requests begin at other places.
            random.shuffle(names)
        size = max(1, BATCH >> self._failures)
        for group in self._groups(names, size):
            delivery = self._send(group, size)
            self._failures = 0 if delivery.trouble is None else self._failures + 1
            yield delivery
            if delivery.trouble is not None:
                return

    def _groups(self, names: list[str], size: int) -> Iterator[dict[str, list[Event]]]:
        """Files, by name, with events of one task: its token may open no other."""
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

    def _send(self, files: dict[str, list[Event]], size: int) -> Delivery:
        events = [event for found in files.values() for event in found]
        total = Delivery()
        for begin in range(0, len(events), size):
            batch = events[begin : begin + size]
            if total.trouble is None:
                total.add(deliver(self._connection, batch))
            else:
                total.kept += batch
        for refusal in total.refused:
            self._spool.refuse(*refusal)
        kept = {event.id for event in total.kept}
        for name, found in files.items():
            rest = [event for event in found if event.id in kept]
            if len(rest) < len(found):
                try:
                    self._spool.replace(name, rest)
                except OSError:
                    pass  # it stays whole: what the server has already, it will know again
        return total

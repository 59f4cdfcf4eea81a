"""How long the notifications of this server take to come back to it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from lamia_gql.domain.histogram import SECONDS, Histogram
from lamia_gql.storage.change_feed import TASKS_PER_NOTIFICATION, Change

MAX_OPEN = 1_000
"""So many notifications may be on their way; a former one is taken for lost."""
Key = tuple[int, int]
"""The first task of a notification, and the number of its latest event."""


class OwnNotifications:
    """Measures the lag of the listening connection by what this server itself has committed.

    PostgreSQL sends a notification to whoever listens, also to the server that wrote. Lives as long
    as the application. To be used in the thread of the event loop.
    """

    def __init__(self) -> None:
        self.lags = Histogram(SECONDS)
        """From the end of a commit until its notification was received."""
        self._sent: dict[Key, float] = {}
        """When each was sent that was not received yet."""
        self._early: set[Key] = set()
        """Those that were received before the event loop knew of the end of their commit."""

    def send(self, changes: Sequence[Change]) -> None:
        """Note the end of a commit, which has a notification for each so many changes."""
        for first in changes[::TASKS_PER_NOTIFICATION]:
            self._send(first[:2])

    def _send(self, key: Key) -> None:
        if key in self._early:
            self._early.discard(key)
            self.lags.add(0.0)
            return
        self._sent[key] = time.monotonic()
        if len(self._sent) > MAX_OPEN:
            self._sent.clear()

    def receive(self, changes: Sequence[Change]) -> None:
        """Take a notification of this server."""
        key = changes[0][:2]
        sent = self._sent.pop(key, None)
        if sent is not None:
            self.lags.add(time.monotonic() - sent)
            return
        self._early.add(key)
        if len(self._early) > MAX_OPEN:
            self._early.clear()

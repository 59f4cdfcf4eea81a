"""How long the notifications of this server take to come back to it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from lamia_gql.domain.histogram import SECONDS, Histogram
from lamia_gql.storage.change_feed import Change

MAX_OPEN = 1_000
"""So many notifications may be on their way; a former one is taken for lost."""


class OwnNotifications:
    """Measures the lag of the listening connection by what this server itself has committed.

    PostgreSQL sends a notification to whoever listens, also to the server that wrote. Lives as long
    as the application.
    """

    def __init__(self) -> None:
        self.lags = Histogram(SECONDS)
        """From the end of a commit until its notification was received."""
        self._sent: dict[tuple[int, int], float] = {}
        """When each was sent, by the task and the number of its latest event."""

    def send(self, first: Change) -> None:
        """Note the time of a commit, by the first of its changes. May be called in any thread."""
        self._sent[first[:2]] = time.monotonic()
        if len(self._sent) > MAX_OPEN:
            self._sent.clear()

    def receive(self, changes: Sequence[Change]) -> None:
        """Take a notification of this server."""
        sent = self._sent.pop(changes[0][:2], None)
        if sent is not None:
            self.lags.add(time.monotonic() - sent)

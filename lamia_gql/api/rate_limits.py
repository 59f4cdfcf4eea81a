"""How much one client may ask for: events, operations and cost a second.

A client is whoever has a credential, or else an address. The jobs of a task are one client. Each
has a bucket for each of the three, which fills with the rate and holds :data:`BURST_S` of it. What
is larger than the bucket passes if that is full, and is then paid off.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from lamia_gql.domain.access import Principal
from lamia_gql.domain.errors import RateExceeded
from lamia_gql.domain.settings import Settings

BURST_S = 10.0
"""Clients may be ahead of their rate by so many seconds."""
MAX_CLIENTS = 10_000
"""Of how many clients something is remembered; of more, the one that was idle longest is not."""


class Client(NamedTuple):
    """Who is limited."""

    kind: str
    name: str | int

    @classmethod
    def of(cls, principal: Principal, address: str | None) -> Client:
        """The client with this credential, or at this address."""
        if principal.grant is not None:
            return cls("task", principal.grant.task_id)
        if principal.subject is not None:
            return cls("subject", principal.subject)
        return cls("address", address or "")


class Rate:
    """One limit for all clients.

    Args:
        limit: how much a second; None for no limit.
        what: what is limited, for the error.
        clock: gives the time in seconds.
    """

    def __init__(
        self, limit: float | None, what: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit
        self._what = what
        self._clock = clock
        self._paid_at: OrderedDict[Client, float] = OrderedDict()
        """When all that a client has taken will be paid off, the one that asked last at the end."""

    def __len__(self) -> int:
        return len(self._paid_at)

    def take(self, client: Client, amount: float = 1) -> None:
        """Let a client have so much. Raises :class:`RateExceeded`, and then it has had nothing."""
        if self._limit is None or not amount:
            return
        now = self._clock()
        paid_at = max(now, self._paid_at.get(client, now))
        cost_s = amount / self._limit
        ahead_s = paid_at - now + min(cost_s, BURST_S)
        if ahead_s > BURST_S:
            raise RateExceeded(
                f"This client may have {self._limit:g} {self._what} a second, and had more. Nothing"
                " was changed; try again later.",
                ahead_s - BURST_S,
            )
        self._paid_at[client] = paid_at + cost_s
        self._paid_at.move_to_end(client)
        if len(self._paid_at) > MAX_CLIENTS:
            self._paid_at.popitem(last=False)


class RateLimits:
    """The limits of one server process. Lives as long as the application."""

    def __init__(self, settings: Settings) -> None:
        self.events = Rate(settings.max_event_rate, "events")
        self.operations = Rate(settings.max_operation_rate, "operations")
        self.cost = Rate(settings.max_cost_rate, "values of answers")

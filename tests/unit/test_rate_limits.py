"""Rates of clients: what passes, what does not, and how much is remembered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamia_gql.api.rate_limits import BURST_S, MAX_CLIENTS, Client, Rate
from lamia_gql.domain.access import ANYONE, JobGrant, Principal
from lamia_gql.domain.errors import RateExceeded


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The present time."""
        return self.now


@given(
    limit=st.floats(0.5, 1000),
    steps=st.lists(st.tuples(st.floats(0, 5), st.integers(1, 3000)), max_size=60),
)
def test_no_client_has_more_than_its_rate(limit: float, steps: list[tuple[float, int]]) -> None:
    """Over any time it has its rate, one burst and one request; and waiting as told is enough."""
    clock = Clock()
    rate = Rate(limit, "things", clock)
    begin, taken, largest = clock.now, 0, 0
    for pause, amount in steps:
        clock.now += pause
        largest = max(largest, amount)
        try:
            rate.take(Client("address", "a"), amount)
        except RateExceeded as error:
            clock.now += error.retry_after + 1e-6
            rate.take(Client("address", "a"), amount)
        taken += amount
        assert taken <= limit * (clock.now - begin + BURST_S) + largest + 1


def test_clients_do_not_share_a_rate() -> None:
    """One that asks for too much does not concern the others; jobs of a task are one client."""
    rate = Rate(1, "things", Clock())
    flooding = Client.of(Principal("anna"), "10.0.0.1")
    rate.take(flooding, 100)
    with pytest.raises(RateExceeded):
        rate.take(Client.of(Principal("anna"), "10.0.0.2"))
    for other in (
        Client.of(Principal("otto"), "10.0.0.1"),
        Client.of(ANYONE, "10.0.0.1"),
        Client.of(ANYONE, None),
        Client.of(Principal(grant=JobGrant(1, 0)), "10.0.0.1"),
    ):
        rate.take(other, 10)
    with pytest.raises(RateExceeded):
        rate.take(Client.of(Principal(grant=JobGrant(1, 7, "p")), "10.0.0.9"), 10)


def test_few_clients_are_remembered() -> None:
    """Addresses without number take no memory without end."""
    rate = Rate(1, "things", Clock())
    for number in range(MAX_CLIENTS + 100):
        rate.take(Client("address", str(number)))
    assert len(rate) == MAX_CLIENTS

"""The queue of requests: fair between clients, in order for each, and bounded."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from lamia_gql.ingest.pending_events import Request
from lamia_gql.ingest.waiting_requests import WaitingRequests


class Waiting:
    """A request of a client, with a number and a size."""

    def __init__(self, client: str, number: int, size: int) -> None:
        self.client = client
        self.number = number
        self.events = [None] * size


def request(client: str, number: int = 0, size: int = 1) -> Any:
    """A stand-in for a request: making one needs an event loop."""
    return cast(Request, Waiting(client, number, size))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 5))))
def test_turns_and_order(arrivals: list[tuple[str, int]]) -> None:
    """Everything comes out once, in order for each client, and nobody is served twice running.

    Unless no other client waits.
    """
    waiting = WaitingRequests(10**6)
    for number, (client, size) in enumerate(arrivals):
        waiting.add(client, request(client, number, size))
    assert waiting.event_count == sum(size for _, size in arrivals)
    taken: list[Any] = []
    while waiting:
        first = waiting.first
        assert waiting.take() is first
        taken.append(first)
    assert waiting.event_count == 0
    assert sorted(one.number for one in taken) == list(range(len(arrivals)))
    for client in "abc":
        numbers = [one.number for one in taken if one.client == client]
        assert numbers == sorted(numbers)
    for place, (one, following) in enumerate(pairwise(taken)):
        if one.client == following.client:
            assert {left.client for left in taken[place + 1 :]} == {one.client}


def test_one_client_leaves_room_for_others() -> None:
    """It may have half; others then still may wait; and any number passes where nobody waits."""
    waiting = WaitingRequests(100)
    assert waiting.has_room("a", 1_000)
    waiting.add("a", request("a", size=50))
    assert not waiting.has_room("a", 1)
    assert waiting.has_room("b", 50)
    assert not waiting.has_room("b", 51)
    waiting.add("b", request("b", size=50))
    assert not waiting.has_room("c", 1)
    waiting.take()
    assert waiting.has_room("c", 50)

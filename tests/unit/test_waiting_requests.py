"""The queue of requests: fair between clients, in order for each, and bounded."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from lamia_gql.ingest.pending_events import Request
from lamia_gql.ingest.waiting_requests import WaitingRequests


class Waiting:
    """A request of a client, with a number and tasks, one for each event."""

    def __init__(self, client: str, number: int, tasks: list[int]) -> None:
        self.client = client
        self.number = number
        self.events = [SimpleNamespace(task=task) for task in tasks]
        self.is_answered = False


def request(client: str, number: int = 0, size: int = 1, tasks: list[int] | None = None) -> Any:
    """A stand-in for a request: making one needs an event loop."""
    return cast(Request, Waiting(client, number, tasks or [0] * size))


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
        [part], lanes = waiting.take(1)
        taken.append(part.request)
        assert list(part.places) == list(range(len(part.request.events)))
        assert not waiting
        waiting.release(lanes)
    assert waiting.event_count == 0
    assert sorted(one.number for one in taken) == list(range(len(arrivals)))
    for client in "abc":
        numbers = [one.number for one in taken if one.client == client]
        assert numbers == sorted(numbers)
    for place, (one, following) in enumerate(pairwise(taken)):
        if one.client == following.client:
            assert {left.client for left in taken[place + 1 :]} == {one.client}


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from("abc"), st.lists(st.integers(0, 9), min_size=1, max_size=4)),
            st.integers(1, 4),
            st.none(),
        )
    )
)
def test_lanes(steps: list[tuple[str, list[int]] | int | None]) -> None:
    """However transactions overlap, no two have a lane, and each client's events of it keep order.

    A step is a request of a client for some tasks, a transaction that takes so many events, or the
    end of the one that was begun first.
    """
    waiting = WaitingRequests(10**6, lanes=4)
    running: list[set[int]] = []
    wanted: dict[tuple[str, int], list[int]] = defaultdict(list)
    taken: dict[tuple[str, int], list[int]] = defaultdict(list)

    def take(limit: int) -> None:
        parts, lanes = waiting.take(limit)
        assert all(lanes.isdisjoint(others) for others in running)
        running.append(lanes)
        for part in parts:
            one: Any = part.request
            for place in part.places:
                lane = one.events[place].task % 4
                assert lane in lanes
                taken[one.client, lane].append(one.number)

    for number, step in enumerate(steps):
        if isinstance(step, tuple):
            client, tasks = step
            waiting.add(client, request(client, number, tasks=tasks))
            for task in tasks:
                wanted[client, task % 4].append(number)
        elif step is not None:
            take(step)
        elif running:
            waiting.release(running.pop(0))
    for lanes in running:
        waiting.release(lanes)
    running.clear()
    while waiting:
        take(10)
        waiting.release(running.pop())
    assert taken == wanted
    assert waiting.event_count == 0


def test_nobody_waits_for_all_lanes_of_somebody_else() -> None:
    """A client that has filled all lanes has one request taken before that of another client."""
    waiting = WaitingRequests(10**6, lanes=4)
    for task in range(100):
        waiting.add("a", request("a", tasks=[task]))
    waiting.add("b", request("b", tasks=[3]))
    parts, _ = waiting.take(2)
    assert [cast(Any, part.request).client for part in parts] == ["a", "b"]


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
    waiting.take(50)
    assert waiting.has_room("c", 50)

"""Turns of requests: the loop goes on, clients alternate, and those of one keep their order."""

from __future__ import annotations

import asyncio
import time

from lamia_gql.api.request_turns import ROUND_S, RequestTurns

WORK_S = 0.6 * ROUND_S
"""What a request takes: after two of them, a round is over."""


def busy() -> None:
    """Keep the event loop from everything else, as decoding a request does."""
    end = time.thread_time() + WORK_S
    while time.thread_time() < end:
        pass


async def test_many_at_once() -> None:
    """Two begin in a round of the loop, in their order; another client waits for few of them."""
    turns = RequestTurns()
    seen: list[str | int] = []

    async def work(client: str, name: str | int) -> None:
        await turns.take(client)
        seen.append(name)
        busy()

    async def tick() -> None:
        while True:
            seen.append("tick")
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    requests = [asyncio.create_task(work("guilty", number)) for number in range(40)]
    requests.append(asyncio.create_task(work("innocent", "other")))
    await asyncio.gather(*requests)
    ticking.cancel()
    assert [one for one in seen if isinstance(one, int)] == list(range(40))
    rounds = "".join("." if one == "tick" else "x" for one in seen).split(".")
    assert max(map(len, rounds)) <= 2
    before = seen[: seen.index("other")]
    assert sum(isinstance(one, int) for one in before) <= 4


async def test_whoever_is_alone_does_not_wait() -> None:
    """As long as the loop has time, a request begins at once."""
    turns = RequestTurns()
    for _ in range(3):
        for number in range(10):
            taking = turns.take(number)
            try:
                taking.send(None)
            except StopIteration:
                continue
            raise AssertionError("it has waited")
        await asyncio.sleep(0)


async def test_those_who_leave() -> None:
    """A request that is cancelled while it waits keeps nobody waiting."""
    turns = RequestTurns()
    begun: list[int] = []

    async def work(number: int) -> None:
        await turns.take("client")
        begun.append(number)
        busy()

    requests = [asyncio.create_task(work(number)) for number in range(20)]
    await asyncio.sleep(0)
    assert len(begun) <= 2
    for request in requests[5:15]:
        request.cancel()
    await asyncio.gather(*requests, return_exceptions=True)
    assert begun == [*range(5), *range(15, 20)]

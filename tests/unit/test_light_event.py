"""LightEvent: as asyncio.Event, whoever waits goes on once it is set."""

from __future__ import annotations

import asyncio

import pytest

from lamia_gql.live.light_event import LightEvent


async def test_all_who_wait_go_on_once_it_is_set() -> None:
    """Also if it is cleared at once; whoever comes after that waits for the next time."""
    event = LightEvent()
    waiting = [asyncio.create_task(event.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    assert not event.is_set()
    event.set()
    event.clear()
    async with asyncio.timeout(10):
        await asyncio.gather(*waiting)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await event.wait()
    event.set()
    assert event.is_set()
    await event.wait()


async def test_who_gives_up_waiting_is_forgotten() -> None:
    """It is not waked, and the others are."""
    event = LightEvent()
    gives_up, waits = [asyncio.create_task(event.wait()) for _ in range(2)]
    await asyncio.sleep(0)
    gives_up.cancel()
    event.set()
    async with asyncio.timeout(10):
        await waits
    with pytest.raises(asyncio.CancelledError):
        await gives_up

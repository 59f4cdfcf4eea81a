"""What large operations leave behind is returned to the operating system."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from tests.hostile.bystanders import SETTLED_BYTES, bystanders, resident
from tests.support.harness import StartServer
from tests.support.live_clients import WebSocketClient

SUBSCRIPTIONS = 256
CHANGES = """subscription($names: [String!], $filter: TaskFilter) {
  taskChanged(names: $names, filter: $filter) { name } }"""


@pytest.mark.slow
@pytest.mark.timed
@pytest.mark.timeout(300)
async def test_what_subscriptions_took_is_free_a_minute_after_them(
    start_server: StartServer, sqlite_url: str
) -> None:
    """256 subscriptions with large variables take much memory, and none once they are gone."""
    server = start_server(sqlite_url, max_connection_bytes=128 << 20)
    server.create("t", {"name": "p"})
    with bystanders(server, "t", "p"):
        async with AsyncExitStack() as stack:
            ws = await stack.enter_async_context(
                WebSocketClient(server.url, local_addr=("127.0.0.2", 0), max_queue=None)
            )
            for number in range(SUBSCRIPTIONS):
                tags = [f"{number}-{place}-{'x' * 4_000}" for place in range(60)]
                await ws.subscribe(f"{number}", CHANGES, names=["t"], filter={"tagsAny": tags})
            await ws.subscribe("last", CHANGES, names=["t"], filter={})
            assert (await asyncio.wait_for(ws.socket.recv(), 60)) is not None
            assert resident(server).peak > SETTLED_BYTES

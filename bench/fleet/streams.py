"""Subscriptions that go on, on another server, when their connection ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson
import websockets
from websockets.typing import Subprotocol

RETRY_S = 0.2


class Stream:
    """A subscription over WebSocket.

    Args:
        urls: the addresses of servers; the first one is preferred until it fails.
        document: the subscription.
        variables: makes its variables, each time it is begun.
        receive: gets the data of each result.
    """

    def __init__(
        self,
        urls: Sequence[str],
        document: str,
        variables: Callable[[], Mapping[str, Any]],
        receive: Callable[[Any], None],
    ) -> None:
        self._urls, self._document = urls, document
        self._variables, self._receive = variables, receive
        self._turn = 0
        self.ends = 0
        """How many times it had to be begun anew."""

    @property
    def url(self) -> str:
        """The server that it comes from."""
        return self._urls[self._turn % len(self._urls)]

    async def run(self) -> None:
        """Receive, until cancelled."""
        while True:
            with suppress(OSError, websockets.WebSocketException):
                await self._follow(self.url)
            self.ends += 1
            self._turn += 1
            await asyncio.sleep(RETRY_S)

    async def _follow(self, url: str) -> None:
        """Receive over one connection, until it or the subscription ends."""
        async with websockets.connect(
            f"{url.replace('http', 'ws', 1)}/graphql",
            subprotocols=[Subprotocol("graphql-transport-ws")],
            compression=None,
            max_size=None,
        ) as socket:
            await socket.send('{"type":"connection_init"}')
            await socket.recv()
            payload = {"query": self._document, "variables": self._variables()}
            subscribe = {"id": "1", "type": "subscribe", "payload": payload}
            await socket.send(orjson.dumps(subscribe).decode())
            async for raw in socket:
                message = orjson.loads(raw)
                if message["type"] != "next" or "errors" in message["payload"]:
                    return
                self._receive(message["payload"]["data"])

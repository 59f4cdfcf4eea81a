"""Subscriptions that go on, on another server, when their connection ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import copy
from typing import Any

import orjson
import websockets
from websockets.typing import Subprotocol

from bench.fleet.servers import Servers

RETRY_S = 0.2


class Stream:
    """A subscription over WebSocket.

    Args:
        servers: where it comes from.
        document: the subscription.
        variables: makes its variables, each time it is begun.
        receive: gets the data of each result.
    """

    def __init__(
        self,
        servers: Servers,
        document: str,
        variables: Callable[[], Mapping[str, Any]],
        receive: Callable[[Any], None],
    ) -> None:
        # Pages may be served by another one.
        self.servers, self._document = copy(servers), document
        self._variables, self._receive = variables, receive
        self.ends = 0
        """How many times it had to be begun anew."""

    async def run(self) -> None:
        """Receive, until cancelled."""
        while True:
            with suppress(OSError, websockets.WebSocketException):
                await self._follow()
            self.ends += 1
            self.servers.move_on()
            await asyncio.sleep(RETRY_S)

    async def _follow(self) -> None:
        """Receive over one connection, until it or the subscription ends."""
        async with websockets.connect(
            f"{self.servers.url.replace('http', 'ws', 1)}/graphql",
            additional_headers=self.servers.credential,
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

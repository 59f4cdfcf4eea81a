"""Listens for changes of tasks: a ``taskChanged`` subscription over server-sent events."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Self

import httpx

from lamia_gql.commands.client_token import authorization, find_token
from lamia_gql.commands.server_proxy import find_server_proxy, proxy_options
from lamia_gql.graph.stored_operations import load_operation

READ_TIMEOUT_S = 30.0
"""How long a stream may be silent before it is given up; servers send a comment every 12 s."""
MIN_RECONNECT_DELAY_S, MAX_RECONNECT_DELAY_S = 0.2, 5.0


class ChangeListener:
    """Tells when a task may have changed, also after a lost connection was restored.

    A context manager. It listens in a thread with its own event loop, where it can be cancelled
    while it waits: a thread that still runs TLS when the process exits may crash it.

    Wait for it with ``select``: it is readable after a change, until :meth:`clear` is called.

    Args:
        url: The root address of the server.
        names: The names of the tasks; None for all tasks.
        conditions: A ``TaskFilter``; an empty one matches all tasks.
    """

    def __init__(self, url: str, names: Sequence[str] | None, conditions: dict[str, Any]) -> None:
        self._url = f"{url}/graphql"
        self._variables = {"names": None if names is None else list(names), "filter": conditions}
        self._told, self._tell = socket.socketpair()
        for end in (self._told, self._tell):
            end.setblocking(False)
        self._loop = asyncio.new_event_loop()
        self._listening = self._loop.create_task(self._listen())
        self._thread = threading.Thread(target=self._run, name="change-listener", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._loop.call_soon_threadsafe(self._listening.cancel)
        self._thread.join()
        self._told.close()
        self._tell.close()

    def fileno(self) -> int:
        """Return what ``select`` waits for."""
        return self._told.fileno()

    def clear(self) -> None:
        """Forget the changes until now."""
        with suppress(BlockingIOError):
            self._told.recv(65536)

    def _announce(self) -> None:
        # If the buffer is full, it is readable anyway.
        with suppress(BlockingIOError):
            self._tell.send(b"!")

    def _run(self) -> None:
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._listening)
        self._loop.close()

    async def _listen(self) -> None:
        delay = MIN_RECONNECT_DELAY_S
        headers = authorization(find_token(os.environ))
        options = proxy_options(find_server_proxy(self._url))
        async with httpx.AsyncClient(timeout=READ_TIMEOUT_S, headers=headers, **options) as client:
            while True:
                try:
                    if await self._read_stream(client):
                        delay = MIN_RECONNECT_DELAY_S
                except httpx.HTTPError:
                    pass  # the query that follows a change reports it
                self._announce()
                await asyncio.sleep(delay)
                delay = min(2 * delay, MAX_RECONNECT_DELAY_S)

    async def _read_stream(self, client: httpx.AsyncClient) -> bool:
        """Read a stream to its end; returns False if the server did not open one."""
        async with client.stream(
            "POST",
            self._url,
            json={"query": load_operation("watch_changes"), "variables": self._variables},
            headers={"accept": "text/event-stream"},
        ) as response:
            if response.status_code != httpx.codes.OK:
                return False
            async for line in response.aiter_lines():
                # The first comment tells that the subscription is active, so a change before it
                # may have been missed. Later ones are keep-alives.
                if line.startswith(("data", ":")):
                    self._announce()
        return True

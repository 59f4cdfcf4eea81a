"""A bell that a server rings whenever a task has changed: a subscription, over SSE."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

import httpx

from lamia_gql.commands.stored_operations import operation

SILENCE = 30.0
"""Seconds without a byte after which the connection is given up: servers send one every 12."""
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0


class Bell:
    """Rings for these tasks, or for all; connects again by itself, and rings when it has.

    It listens in a thread with an event loop of its own, so that it can be ended while it waits: a
    thread that is left to the end of the process may crash it, in the midst of TLS.
    """

    def __init__(self, url: str, names: Sequence[str] | None) -> None:
        self._url = f"{url}/graphql"
        self._names = None if names is None else list(names)
        self._rung = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._listening = self._loop.create_task(self._listen())
        self._thread = threading.Thread(target=self._run, name="bell", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._loop.call_soon_threadsafe(self._listening.cancel)
        self._thread.join()

    def wait(self, seconds: float) -> None:
        """Wait for the bell to ring, for so long at most."""
        self._rung.wait(seconds)
        self._rung.clear()

    def _run(self) -> None:
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._listening)
        self._loop.close()

    async def _listen(self) -> None:
        pause = FIRST_PAUSE
        async with httpx.AsyncClient(timeout=SILENCE) as client:
            while True:
                try:
                    if await self._ring_with(client):
                        pause = FIRST_PAUSE
                except httpx.HTTPError:
                    pass  # whoever asks for the picture is told what the matter is
                self._rung.set()
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _ring_with(self, client: httpx.AsyncClient) -> bool:
        """Ring until the stream ends; whether it was one at all."""
        variables = {"names": self._names}
        async with client.stream(
            "POST",
            self._url,
            json={"query": operation("watch_changes"), "variables": variables},
            headers={"accept": "text/event-stream"},
        ) as response:
            if response.status_code != httpx.codes.OK:
                return False
            async for line in response.aiter_lines():
                # Comments show that the connection lives; the first, that it has begun.
                if line.startswith(("data", ":")):
                    self._rung.set()
        return True

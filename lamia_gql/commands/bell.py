"""A bell that a server rings whenever a task has changed: a subscription, over SSE."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Self

import httpx

from lamia_gql.operations import operation

SILENCE = 30.0
"""Seconds without a byte after which the connection is given up: servers send one every 12."""
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0


class Bell:
    """Rings for these tasks, or for all; connects again by itself, and rings when it has."""

    def __init__(self, url: str, names: Sequence[str] | None) -> None:
        self._url = f"{url}/graphql"
        self._names = None if names is None else list(names)
        self._rung = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bell", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        # The thread may wait for a byte; it ends with the process.
        self._closed.set()

    def wait(self, seconds: float) -> None:
        """Wait for the bell to ring, for so long at most."""
        self._rung.wait(seconds)
        self._rung.clear()

    def _run(self) -> None:
        pause = FIRST_PAUSE
        with httpx.Client(timeout=SILENCE) as client:
            while not self._closed.is_set():
                try:
                    if self._listen(client):
                        pause = FIRST_PAUSE
                except httpx.HTTPError:
                    pass  # whoever asks for the picture is told what the matter is
                self._rung.set()
                self._closed.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    def _listen(self, client: httpx.Client) -> bool:
        """Ring until the stream ends; whether it was one at all."""
        variables = {"names": self._names}
        with client.stream(
            "POST",
            self._url,
            json={"query": operation("watch_changes"), "variables": variables},
            headers={"accept": "text/event-stream"},
        ) as response:
            if response.status_code != httpx.codes.OK:
                return False
            for line in response.iter_lines():
                if self._closed.is_set():
                    return True
                # Comments show that the connection lives; the first, that it has begun.
                if line.startswith(("data", ":")):
                    self._rung.set()
        return True

"""The live connections of this process: limited per address, and closed when the server stops."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lamia_gql.domain.errors import ErrorCode, RequestError


class LiveConnections:
    """All WebSockets and event streams. Lives as long as the application."""

    def __init__(self, max_per_address: int) -> None:
        self._max = max_per_address
        self._connections: Counter[str] = Counter()
        self._aborts: dict[object, Callable[[], object]] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        self.stopping = asyncio.Event()
        """Set when the server begins to stop."""

    def __len__(self) -> int:
        return self._connections.total()

    @contextmanager
    def admit(self, address: str | None, abort: Callable[[], object]) -> Iterator[None]:
        """Count a connection until the block is left.

        ``abort`` must close it without the client's cooperation. Raises :class:`RequestError` with
        code TOO_MANY_CONNECTIONS or STOPPING if the connection is refused.
        """
        address = address or ""
        if self.stopping.is_set():
            raise server_stopping_error()
        if self._connections[address] >= self._max:
            raise RequestError(
                ErrorCode.TOO_MANY_CONNECTIONS,
                f"This address already has {self._max} live connections, which is the maximum.",
            )
        self._connections[address] += 1
        self._empty.clear()
        key = object()
        self._aborts[key] = abort
        try:
            yield
        finally:
            del self._aborts[key]
            self._connections[address] -= 1
            if not self._connections[address]:
                del self._connections[address]
            if not self._connections:
                self._empty.set()

    async def stop(self, grace_s: float) -> None:
        """Tell all connections to close, and abort those still open after ``grace_s`` seconds."""
        self.stopping.set()
        try:
            await asyncio.wait_for(self._empty.wait(), grace_s)
        except TimeoutError:
            for abort in list(self._aborts.values()):
                abort()


def server_stopping_error() -> RequestError:
    """The error for live connections, new and open ones, when the server stops."""
    return RequestError(
        ErrorCode.STOPPING,
        "The server is stopping. Resume from your last cursor, here later or on another server.",
    )

"""The live connections of this process: bounded for each address, and told of the server's end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lamia_gql.domain.errors import ErrorCode, RequestError


class LiveConnections:
    """Who is connected; born in the lifespan."""

    def __init__(self, max_per_address: int) -> None:
        self._max = max_per_address
        self._connections: Counter[str] = Counter()
        self._cuts: dict[object, Callable[[], object]] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        self.stopping = asyncio.Event()
        """Set once the server is told to stop."""

    def __len__(self) -> int:
        return self._connections.total()

    @contextmanager
    def connected(self, address: str | None, cut: Callable[[], object]) -> Iterator[None]:
        """Count a connection until the block is left; ``cut`` ends it, whatever its client does.

        Raises :class:`RequestError`, TOO_MANY_CONNECTIONS or STOPPING, instead of letting it in.
        """
        address = address or ""
        if self.stopping.is_set():
            raise stopping()
        if self._connections[address] >= self._max:
            raise RequestError(
                ErrorCode.TOO_MANY_CONNECTIONS,
                f"This address has {self._max} live connections already: the most that one may.",
            )
        self._connections[address] += 1
        self._empty.clear()
        place = object()
        self._cuts[place] = cut
        try:
            yield
        finally:
            del self._cuts[place]
            self._connections[address] -= 1
            if not self._connections[address]:
                del self._connections[address]
            if not self._connections:
                self._empty.set()

    async def stop(self, patience: float) -> None:
        """Tell all to leave, and cut off those that have not after so many seconds."""
        self.stopping.set()
        try:
            await asyncio.wait_for(self._empty.wait(), patience)
        except TimeoutError:
            for cut in list(self._cuts.values()):
                cut()


def stopping() -> RequestError:
    """The error for those who come, or still are, when the server stops."""
    return RequestError(
        ErrorCode.STOPPING, "The server stops. Resume from your last cursor, elsewhere or later."
    )

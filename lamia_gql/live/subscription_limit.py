"""What the operations on all live connections may take: their number, and the bytes they hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from lamia_gql.domain.errors import ErrorCode, RequestError


class SubscriptionLimit:
    """The operations on all WebSockets and event streams. Lives as long as the application.

    Args:
        max_per_address: how many may run at once for one client address.
        max_bytes: what all of them may hold: the operations, and the results that wait.
    """

    def __init__(self, max_per_address: int, max_bytes: int) -> None:
        self._max = max_per_address
        self._max_bytes = max_bytes
        self.held = 0
        """The bytes that they hold."""
        self._running: Counter[str | None] = Counter()
        self._holders: Counter[int] = Counter()

    @property
    def running(self) -> int:
        """The number of operations that run."""
        return self._running.total()

    @property
    def is_full(self) -> bool:
        """Whether they hold more than they may."""
        return self.held > self._max_bytes

    def admit(self, address: str | None, size: int) -> AbstractContextManager[None]:
        """Count an operation of so many bytes until the block of the returned context is left.

        Raises :class:`RequestError` with code TOO_MANY_SUBSCRIPTIONS if it is refused.
        """
        if self._running[address] >= self._max:
            raise RequestError(
                ErrorCode.TOO_MANY_SUBSCRIPTIONS,
                f"This address already runs {self._max} operations on its live connections, which"
                " is the maximum.",
            )
        if self.held + size > self._max_bytes:
            raise RequestError(
                ErrorCode.TOO_MANY_SUBSCRIPTIONS,
                f"All subscriptions to this server hold {self._max_bytes} bytes, which is the"
                " maximum: try again later.",
            )
        self._running[address] += 1
        self.held += size
        return self._leave(address, size)

    def hold(self, result: object, size: int) -> None:
        """Count a result that waits; however many clients it waits for, it counts once."""
        if not self._holders[id(result)]:
            self.held += size
        self._holders[id(result)] += 1

    def release(self, result: object, size: int) -> None:
        """Count a result no longer for one of those who have held it."""
        self._holders[id(result)] -= 1
        if not self._holders[id(result)]:
            del self._holders[id(result)]
            self.held -= size

    @contextmanager
    def _leave(self, address: str | None, size: int) -> Iterator[None]:
        try:
            yield
        finally:
            self.held -= size
            self._running[address] -= 1
            if not self._running[address]:
                del self._running[address]

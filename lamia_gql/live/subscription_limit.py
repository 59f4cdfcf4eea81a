"""How many operations run on the live connections of one client address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from lamia_gql.domain.errors import ErrorCode, RequestError


class SubscriptionLimit:
    """The operations on all WebSockets and event streams. Lives as long as the application.

    ``max_per_address`` is how many may run at once for one client address.
    """

    def __init__(self, max_per_address: int) -> None:
        self._max = max_per_address
        self._running: Counter[str | None] = Counter()

    def admit(self, address: str | None) -> AbstractContextManager[None]:
        """Count an operation from now until the block of the returned context is left.

        Raises :class:`RequestError` with code TOO_MANY_SUBSCRIPTIONS if it is refused.
        """
        if self._running[address] >= self._max:
            raise RequestError(
                ErrorCode.TOO_MANY_SUBSCRIPTIONS,
                f"This address already runs {self._max} operations on its live connections, which"
                " is the maximum.",
            )
        self._running[address] += 1
        return self._leave(address)

    @contextmanager
    def _leave(self, address: str | None) -> Iterator[None]:
        try:
            yield
        finally:
            self._running[address] -= 1
            if not self._running[address]:
                del self._running[address]

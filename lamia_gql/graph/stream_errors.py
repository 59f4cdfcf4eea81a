"""How a stream ends, and what is told of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lamia_gql.domain.errors import ErrorCode, RequestError
from lamia_gql.live.live_connections import stopping
from lamia_gql.live.pubsub import Ended, Stopping, TooSlow


@contextmanager
def endings() -> Iterator[None]:
    """Let a stream end where nothing more comes, and say why where the client can do something.

    Raises :class:`RequestError`, TOO_SLOW or STOPPING.
    """
    try:
        yield
    except TooSlow:
        raise RequestError(
            ErrorCode.TOO_SLOW,
            "You do not keep up with what happens. Resume from your last cursor.",
        ) from None
    except Stopping:
        raise stopping() from None
    except Ended:
        pass

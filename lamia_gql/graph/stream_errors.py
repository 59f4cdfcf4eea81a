"""How the end of a stream is reported to its client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lamia_gql.domain.errors import ErrorCode, RequestError
from lamia_gql.live.live_connections import server_stopping_error
from lamia_gql.live.pubsub import ServerStopping, StreamEnded, SubscriberTooSlow


@contextmanager
def end_as_request_error() -> Iterator[None]:
    """Turn the end of a stream into a plain end, or into an error that the client can act on.

    Raises :class:`RequestError` with code TOO_SLOW or STOPPING.
    """
    try:
        yield
    except SubscriberTooSlow:
        raise RequestError(
            ErrorCode.TOO_SLOW,
            "This client reads too slowly. Resume from your last cursor.",
        ) from None
    except ServerStopping:
        raise server_stopping_error() from None
    except StreamEnded:
        pass

"""Which redirects a request may follow: the token must not get to another host."""

from __future__ import annotations

from urllib.parse import SplitResult, urljoin, urlsplit

PERMANENT_STATUSES = (301, 308)
MAX_REDIRECTS = 3


def find_target(address: SplitResult, location: str | None) -> SplitResult | None:
    """Return the address to which a server has moved for good, or None if it is not followed.

    It must be of the same host, and as safe: https never becomes http.

    Args:
        address: The address that was requested.
        location: The ``Location`` of the answer.
    """
    try:
        target = urlsplit(urljoin(address.geturl(), location or ""))
        target.port  # noqa: B018  (raises ValueError if there is no such port)
    except ValueError:
        return None
    is_as_safe = target.scheme == "https" or target.scheme == address.scheme == "http"
    is_same_host = target.hostname == address.hostname and target.username is None
    return target if location and is_as_safe and is_same_host else None

"""The address of a client behind trusted proxies."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.types import ASGIApp, Receive, Scope, Send

MAX_PROXIES = 16
"""How many entries of ``X-Forwarded-For`` are read, from the right."""


class ClientAddress:
    """Takes the address of a client from ``X-Forwarded-For``, as far as proxies are trusted.

    Each proxy appends the address from which it was connected. What stands left of the first
    address that is not a trusted proxy may be forged, and is ignored.
    """

    def __init__(self, app: ASGIApp, trusted: Sequence[IPv4Network | IPv6Network]) -> None:
        self._app = app
        self._trusted = tuple(trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, with the address of its client in the scope."""
        if scope["type"] != "lifespan" and scope["client"] is not None:
            forwarded = b",".join(
                value for name, value in scope["headers"] if name == b"x-forwarded-for"
            )
            host, port = scope["client"]
            if forwarded:
                scope["client"] = (self.find(host, forwarded.decode("latin-1")), port)
        await self._app(scope, receive, send)

    def find(self, peer: str, forwarded: str) -> str:
        """The address of the client.

        Args:
            peer: The address from which the server was connected.
            forwarded: The value of ``X-Forwarded-For``; its addresses may have ports.
        """
        found = _parse(peer)
        if found is None:
            return peer
        for entry in reversed(forwarded.split(",")[-MAX_PROXIES:]):
            if not self._is_trusted(found):
                break
            before = _parse(_without_port(entry.strip()))
            if before is None:
                break
            found = before
        return str(found)

    def _is_trusted(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    try:
        # The zone of an IPv6 address may be any text.
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    # A socket for both versions shows IPv4 addresses as IPv6.
    return getattr(found, "ipv4_mapped", None) or found


def _without_port(text: str) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text

"""What trusted proxies tell of a request: the address of its client, and where they serve it."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.types import ASGIApp, Receive, Scope, Send

from lamia_gql.domain.settings import Settings

MAX_PROXIES = 16
"""How many entries of ``X-Forwarded-For`` are read, from the right."""


PREFIX = re.compile(rb"(?:/[\w.~-]+)+")
"""A value of ``X-Forwarded-Prefix`` that may begin a link: it can't name another host."""


class ForwardedHeaders:
    """Takes ``X-Forwarded-For`` and ``X-Forwarded-Prefix``, as far as proxies are trusted.

    Each proxy appends the address from which it was connected. What stands left of the first
    address that is not a trusted proxy may be forged, and is ignored.

    The prefix is what the proxy removed from the path. It begins the links in answers, but decides
    nothing else: a proxy may pass on what a client forged.

    The headers by which proxies tell who has signed in are removed where no trusted proxy has sent
    them.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._trusted = tuple(settings.trusted_proxies)
        self._identity = {
            name.encode()
            for name in (settings.proxy_user_header, settings.proxy_groups_header)
            if name is not None
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, with the address of its client and the prefix in the scope."""
        if scope["type"] != "lifespan":
            is_trusted = False
            if scope["client"] is not None:
                host, port = scope["client"]
                peer = _parse(host)
                is_trusted = peer is not None and self._is_trusted(peer)
                if forwarded := b",".join(_values(scope, b"x-forwarded-for")):
                    scope["client"] = (self.find(host, forwarded.decode("latin-1")), port)
            prefixes = [value.rstrip(b"/") for value in _values(scope, b"x-forwarded-prefix")]
            if is_trusted and len(prefixes) == 1:
                _set_prefix(scope, prefixes[0])
            if self._identity and not is_trusted:
                scope["headers"] = [
                    (name, value) for name, value in scope["headers"] if name not in self._identity
                ]
        await self._app(scope, receive, send)

    def find(self, peer: str, forwarded: str) -> str:
        """The address of the client.

        Args:
            peer: the address from which the server was connected.
            forwarded: the value of ``X-Forwarded-For``; its addresses may have ports.
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


def _values(scope: Scope, wanted: bytes) -> list[bytes]:
    return [value for name, value in scope["headers"] if name == wanted]


def _set_prefix(scope: Scope, prefix: bytes) -> None:
    """Put a prefix before the path, whose root it is then. An invalid one is ignored."""
    if PREFIX.fullmatch(prefix):
        scope["root_path"] = prefix.decode()
        scope["path"] = scope["root_path"] + scope["path"]
        scope["raw_path"] = prefix + scope["raw_path"]


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

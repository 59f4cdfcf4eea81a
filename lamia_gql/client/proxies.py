"""The proxy through which a server is reached, by the variables that curl knows, too."""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

DEFAULT_PORT = 80
LOOPBACK = ("localhost", "::1")
INVALID = (
    "the address of the proxy is not valid; in a user or a password, write / as %2F, and so on"
)


class Proxy(NamedTuple):
    """An HTTP proxy."""

    host: str
    port: int
    headers: dict[str, str]
    """What identifies the user to it."""

    def __str__(self) -> str:
        """Return its address, without a password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def find_proxy(environ: Mapping[str, str], address: SplitResult) -> Proxy | None:
    """Return the proxy for an address, or None where it is reached directly.

    This machine itself is always reached directly. Reads ``http_proxy``, ``https_proxy``,
    ``all_proxy`` and ``no_proxy``, also in capitals. Raises ValueError, without a password in it,
    if the proxy is of a kind that is not supported, or its address is not valid.
    """
    url = _read(environ, f"{address.scheme}_proxy") or _read(environ, "all_proxy")
    if not url or _is_exempt(address, _read(environ, "no_proxy")):
        return None
    parts = _split(url if "://" in url else f"http://{url}")
    if parts.scheme != "http" or not parts.hostname:
        kind = f"{parts.scheme}://{parts.hostname or ''}"
        raise ValueError(f"the proxy {kind} is not supported, only those like http://host:3128")
    headers = {}
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        code = binascii.b2a_base64(user.encode(), newline=False).decode()
        headers["Proxy-Authorization"] = f"Basic {code}"
    return Proxy(parts.hostname, parts.port or DEFAULT_PORT, headers)


def _split(url: str) -> SplitResult:
    """Return the parts of a proxy's address. Raises ValueError, without any of them in it."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  (raises ValueError if there is no such port)
    except ValueError:
        raise ValueError(INVALID) from None
    if "@" in f"{parts.path}{parts.query}{parts.fragment}":
        raise ValueError(INVALID)  # the password would be taken for the host, or the port
    return parts


def _read(environ: Mapping[str, str], name: str) -> str:
    return (environ.get(name) or environ.get(name.upper()) or "").strip()


def _is_exempt(address: SplitResult, exempt: str) -> bool:
    """Whether a host is reached without a proxy: by its name, that of its domain, or ``*``."""
    host = address.hostname or ""
    if host in LOOPBACK or host.startswith("127."):
        return True
    for name in exempt.lower().replace(" ", "").split(","):
        name = name.lstrip(".").removesuffix(f":{address.port}")
        if name == "*" or (name and (host == name or host.endswith(f".{name}"))):
            return True
    return False

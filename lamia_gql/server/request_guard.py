"""Refuses requests that a foreign web page makes through the browser of somebody who has access.

A browser sends requests for any page that its user visits, with the cookie of the user's session,
and where no credential is asked for, whoever connects may read and write everything. Such requests
are told from others by their headers, which no page can forge:

``Host``
    names the server. A page whose own host name was made to resolve to this server's address (DNS
    rebinding) is of the same origin for the browser, but its host name is not one of this server's.
    An IP address can't be rebound, so it is always accepted.
``Sec-Fetch-Site``
    says how the page and the server are related. Browsers send it to HTTPS and to loopback
    addresses only.
``Origin``
    names the page. Browsers send it with everything that writes, with every request whose answer
    the page could read, and with every WebSocket.

Other programs, such as curl, send neither ``Sec-Fetch-Site`` nor ``Origin``.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from lamia_gql.api.request_body import HttpError
from lamia_gql.api.request_headers import request_headers
from lamia_gql.domain.addresses import is_loopback
from lamia_gql.domain.errors import ErrorCode
from lamia_gql.domain.settings import Settings
from lamia_gql.graph.transport.result import error_body
from lamia_gql.rest.endpoint import error_content, format_error
from lamia_gql.rest.serializers import BASE
from lamia_gql.server.static_pages import PAGES

HOST = re.compile(r"(?P<name>\[[^\]@/]+\]|[^\[\]:@/\s]+)(?::\d{1,5})?")
"""A ``Host`` header: the name or the IP address, and perhaps the port."""
ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/]+)")
DEFAULT_PORTS = {"http": 80, "https": 443}
TOLD_BY_BROWSERS = frozenset({b"origin", b"sec-fetch-site"})
OWN_SITES = {"same-origin", "none"}
"""What ``Sec-Fetch-Site`` is for our own pages, and for what the user asks for himself."""
KEPT_HOSTS = 64
SHOWN_CHARACTERS = 100
"""How much of a refused header is shown in the error."""


class RequestGuard:
    """Lets requests to this server's own names pass that no foreign page has made.

    The setting ``allowed_hosts`` adds names, ``allowed_origins`` pages. WebSockets are refused
    before their handshake.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._hosts = own_names(settings.host) | set(settings.allowed_hosts)
        self._origins = frozenset(settings.allowed_origins)
        self._accepted: set[bytes] = set()
        """``Host`` headers that were accepted: nearly all requests have one of a few."""

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve a request, or refuse it."""
        if scope["type"] != "lifespan":
            try:
                self._check(scope)
            except HttpError as error:
                return JSONResponse(_body(scope, error), error.status)(scope, receive, send)
        return self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        """Raise :class:`HttpError` if the request is refused."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        # HTTP/1.0 knows no Host, and some health checks still use it. No browser does.
        if hosts or scope["http_version"] != "1.0":
            self._check_host(hosts)
        if TOLD_BY_BROWSERS.isdisjoint(dict(scope["headers"])):
            return
        headers = request_headers(scope)
        if self._is_foreign(headers) and not _opens_page(scope, headers):
            page = headers.get("origin", "of another site")[:SHOWN_CHARACTERS]
            raise HttpError(
                403,
                ErrorCode.ORIGIN_NOT_ALLOWED,
                f"This request comes from a web page, {page}, that may not use this server. If it"
                " is to be allowed, add its origin to the setting allowed_origins.",
            )

    def _check_host(self, hosts: list[bytes]) -> None:
        if len(hosts) == 1 and hosts[0] in self._accepted:
            return
        found = HOST.fullmatch(hosts[0].decode("latin-1")) if len(hosts) == 1 else None
        if found is None:
            raise HttpError(400, "BAD_REQUEST", "A request needs one valid Host header.")
        name = found["name"].lower().removesuffix(".")
        if name not in self._hosts and not _is_address(name):
            raise HttpError(
                421,
                ErrorCode.HOST_NOT_ALLOWED,
                f"This server is not known as {name[:SHOWN_CHARACTERS]}. If it is to be, add the"
                " name to the setting allowed_hosts.",
            )
        if len(self._accepted) < KEPT_HOSTS:
            self._accepted.add(hosts[0])

    def _is_foreign(self, headers: Mapping[str, str]) -> bool:
        origin = headers.get("origin")
        if origin in self._origins:
            return False
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site not in OWN_SITES
        return origin is None or not _is_same_origin(origin, headers.get("host", ""))


def own_names(listen_address: str) -> set[str]:
    """The host names of this machine, for a server that listens on this address or name."""
    machine = socket.gethostname()
    names = {"localhost", listen_address, machine}
    if not is_loopback(listen_address):
        with suppress(OSError, UnicodeError):
            names.add(socket.getaddrinfo(machine, None, flags=socket.AI_CANONNAME)[0][3])
    names |= {name.partition(".")[0] for name in names if not _is_address(name)}
    return {name.lower().removesuffix(".") for name in names if name}


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _is_same_origin(origin: str, host: str) -> bool:
    # A proxy may speak HTTPS for this server, so the scheme counts for the default port only.
    found = ORIGIN.fullmatch(origin.lower())
    if found is None:
        return False
    port = DEFAULT_PORTS[found["scheme"]]
    return _with_port(found["authority"], port) == _with_port(host.lower(), port)


def _with_port(authority: str, default: int) -> str:
    return authority if re.search(r":\d+$", authority) else f"{authority}:{default}"


def _opens_page(scope: Scope, headers: Mapping[str, str]) -> bool:
    """Whether somebody has followed a link to one of our pages, on whatever site it is."""
    return (
        scope["type"] == "http"
        and scope["method"] in ("GET", "HEAD")
        and scope["path"] in PAGES
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )


def _body(scope: Scope, error: HttpError) -> Any:
    if scope["path"].startswith(BASE):
        return error_content(scope.get("method"), [format_error(str(error), code=error.code)])
    return error_body(str(error), error.code)

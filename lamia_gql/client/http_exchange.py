"""A persistent HTTP connection, also through a proxy, and to where a server has moved."""

from __future__ import annotations

import encodings.idna  # noqa: F401  # else the first name look-up imports it in a thread: see Job
import http.client
import socket
import time
import urllib.parse

from lamia_gql.client.configuration import ServerConfig
from lamia_gql.client.proxies import Proxy, find_proxy
from lamia_gql.client.redirects import MAX_REDIRECTS, PERMANENT_STATUSES, find_target

SOCKET_TIMEOUT_S = 5.0
"""Time without a byte after which a request is given up."""
MAX_RESPONSE_BYTES = 16 * 1024 * 1024
MAX_RETRY_AFTER_S = 300
"""For how long, at most, a server is left alone because it says so."""
CLOCK_HEADER = "Lamia-Clock"
"""The header with this host's time, in seconds since 1970."""


class HttpExchange:
    """Connects on first use, and stays connected. Not thread-safe, but for :meth:`interrupt`.

    Args:
        server: Where requests are sent.
    """

    def __init__(self, server: ServerConfig) -> None:
        self._server = server
        self._address = urllib.parse.urlsplit(server.url)
        self._http: http.client.HTTPConnection | None = None
        self.proxy: Proxy | None = None
        """The proxy of the connection."""
        self.redirect: str | None = None
        """Where the server, by its last answer, has moved."""
        self.retry_after_s = 0.0
        """How long the server, by its last answer, wants to be left alone."""

    def post(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Send a request, also to where the server has moved for good; returns status and content.

        A header ``CLOCK_HEADER`` gets the time. Raises OSError, :class:`http.client.HTTPException`
        or ValueError if there is no answer, or ImportError if Python lacks TLS.
        """
        for _ in range(MAX_REDIRECTS):
            status, content = self._post_to_target(body, headers)
            target = find_target(self._address, self.redirect)
            if status not in PERMANENT_STATUSES or target is None:
                break
            self.disconnect()
            self._address = target
        if status != 200:
            self._forget_redirect()
        return status, content

    def disconnect(self) -> None:
        """Close the connection; the next request opens another one."""
        if self._http is not None:
            self._http.close()
            self._http = None

    def reset(self) -> None:
        """Close the connection, and begin anew at the configured address."""
        self.disconnect()
        self._forget_redirect()

    def interrupt(self) -> None:
        """Make a request fail that runs in another thread."""
        sock = self._http.sock if self._http is not None else None
        try:
            if sock is not None:
                sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # already closed

    def _forget_redirect(self) -> None:
        configured = urllib.parse.urlsplit(self._server.url)
        if self._address != configured:
            self.disconnect()
            self._address = configured

    def _post_to_target(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        was_connected = self._http is not None and self._http.sock is not None
        try:
            return self._exchange(body, headers)
        except (ConnectionError, http.client.BadStatusLine):
            # Servers close idle connections, so the first failure is no error. If the request did
            # arrive, the server recognises the events by their ids.
            self.disconnect()
            if not was_connected:
                raise
        return self._exchange(body, headers)

    def _exchange(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        self.retry_after_s = 0.0
        if self._http is None or self._http.sock is None:
            self._http = self._connect()
        if CLOCK_HEADER in headers:
            # Connecting may have taken long.
            headers = {**headers, CLOCK_HEADER: f"{time.time():.3f}"}
        is_sent = True
        try:
            target, more = self._find_target()
            self._http.request("POST", target, body, headers | more)
        except (BrokenPipeError, ConnectionResetError):
            # A server that refuses a large body may answer and hang up before it has read it.
            is_sent = False
        response = self._http.getresponse()
        self.retry_after_s = _parse_retry_after(response.getheader("Retry-After"))
        self.redirect = response.getheader("Location")
        content = response.read(MAX_RESPONSE_BYTES)
        if not (is_sent and response.isclosed()):
            self.disconnect()
        return response.status, content

    def _find_target(self) -> tuple[str, dict[str, str]]:
        """Return what is requested, and more headers: a proxy that sees it gets the whole address.

        Through a tunnel to a server with https it does not see it.
        """
        if self.proxy is None or self._address.scheme == "https":
            return self._address.path, {}
        return self._address.geturl(), self.proxy.headers

    def _connect(self) -> http.client.HTTPConnection:
        made: http.client.HTTPConnection
        # Without an explicit port, http.client takes the end of an IPv6 address for one.
        host, port = self._address.hostname or "", self._address.port
        self.proxy = proxy = find_proxy(self._server.environ, self._address)
        timeout = SOCKET_TIMEOUT_S
        if self._address.scheme == "https":
            import ssl  # imported here because some Pythons are built without it

            context = ssl.create_default_context()
            place = (proxy.host, proxy.port) if proxy else (host, port or 443)
            made = http.client.HTTPSConnection(*place, timeout=timeout, context=context)
            if proxy:
                made.set_tunnel(host, port or 443, proxy.headers)
        else:
            place = (proxy.host, proxy.port) if proxy else (host, port or 80)
            made = http.client.HTTPConnection(*place, timeout=timeout)
        made.connect()
        return made


def _parse_retry_after(text: str | None) -> float:
    """Return the seconds in the header of an answer; 0 without any, or for a date."""
    if text is None or not text.isdigit() or len(text) > 9:
        return 0.0
    return float(min(int(text), MAX_RETRY_AFTER_S))

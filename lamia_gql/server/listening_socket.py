"""The socket on which a server listens."""

from __future__ import annotations

import errno
import socket

from lamia_gql.domain.settings import Settings


class AddressUnavailable(OSError):  # noqa: N818  (named after the condition)
    """The server can't listen on the address."""


def open_socket(settings: Settings) -> socket.socket:
    """Listen on the address of the server. Raises :class:`AddressUnavailable`."""
    host, port = settings.host, settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        problem = (
            "is taken" if error.errno == errno.EADDRINUSE else f"can't be used: {error.strerror}"
        )
        raise AddressUnavailable(f"The address {host}:{port} {problem}.") from error
    return listening


def end_lost_connections(listening: socket.socket, settings: Settings) -> None:
    """Have the system end connections whose clients have vanished: after 15 minutes by default."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listening.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(1000 * settings.send_timeout)
        )

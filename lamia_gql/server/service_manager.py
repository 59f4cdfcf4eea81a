"""The service manager that has started the server, such as systemd.

It hands over a socket that listens already (sd_listen_fds(3)), and is told when the server is ready
and when it stops (sd_notify(3)).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping

FIRST_DESCRIPTOR = 3
"""The file descriptor of the first socket that is handed over."""
HANDED_OVER = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
"""The variables about sockets that are handed over."""


class UnusableSocket(ValueError):  # noqa: N818  (named after the condition)
    """The server can't serve on what the service manager hands over."""


class ServiceManager:
    """Tells the service manager about one process of the server; without one, nothing happens.

    Args:
        environ: the environment of the process.
        is_worker: whether the process is one of several workers. These only tell that they are
            ready; that the server stops, and that it lives, is told by its first process.
    """

    def __init__(self, environ: MutableMapping[str, str], *, is_worker: bool = False) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._is_worker = is_worker
        self._interval_s = 0.0
        self._next = 0.0
        watched = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        if watched and not is_worker:
            # Twice in the time after which it takes the process for dead.
            self._interval_s = int(environ.get("WATCHDOG_USEC", "0")) / 2_000_000

    def tell_ready(self) -> None:
        """The server answers requests from now on."""
        self._tell("READY=1")

    def tell_stopping(self) -> None:
        """The server begins to stop."""
        if not self._is_worker:
            self._tell("STOPPING=1")

    def tell_alive(self) -> None:
        """The server works. May be called often: it is told when the manager wants to know."""
        now = time.monotonic()
        if self._interval_s and now >= self._next:
            self._next = now + self._interval_s
            self._tell("WATCHDOG=1")

    def _tell(self, state: str) -> None:
        if not self._address:
            return
        # "@" stands for the zero byte of an address without a file.
        address = self._address.replace("@", "\0", 1) if self._address[0] == "@" else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sending:
            sending.setblocking(False)
            try:
                sending.sendto(state.encode(), address)
            except OSError:
                # It is gone, or busy: the server does its work without.
                return


def take_socket(environ: MutableMapping[str, str]) -> socket.socket | None:
    """Take the socket that the service manager hands over to this process; None if there is none.

    Removes the variables about it from ``environ``: they are not for child processes. Raises
    :class:`UnusableSocket` if there are several, or one that does not listen for TCP.
    """
    pid, number, _names = (environ.pop(name, "") for name in HANDED_OVER)
    if pid != str(os.getpid()) or number in ("", "0"):
        return None
    if number != "1":
        raise UnusableSocket(f"The server takes one socket, but was handed over {number}.")
    taken = socket.socket(fileno=FIRST_DESCRIPTOR)
    taken.set_inheritable(False)
    listens = taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if taken.family not in (socket.AF_INET, socket.AF_INET6) or not listens:
        taken.close()
        raise UnusableSocket(
            "The socket that was handed over does not listen for TCP: ListenStream must be a port,"
            " or an IP address with a port."
        )
    return taken

"""The socket filter of a server that stops."""

from __future__ import annotations

import errno
import socket

import pytest

from lamia_gql.server.syn_filter import drop_new_connections
from tests.support.waiting import until


def test_who_has_connected_is_served_and_who_comes_later_is_refused() -> None:
    """Nobody's connection is accepted by the system and then reset."""
    with socket.socket() as late, socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        address = listening.getsockname()
        with socket.create_connection(address) as early:
            assert drop_new_connections(listening)
            late.setblocking(False)
            assert late.connect_ex(address) == errno.EINPROGRESS
            accepted, _ = listening.accept()
            with pytest.raises(BlockingIOError):
                listening.accept()
            listening.close()
            with accepted:
                accepted.sendall(b"served")
            assert early.recv(100) == b"served"
        refused = until(lambda: late.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), "an answer")
        assert refused == errno.ECONNREFUSED

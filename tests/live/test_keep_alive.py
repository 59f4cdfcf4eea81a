"""Connections that wait for their next request."""

from __future__ import annotations

import asyncio
import socket
import time
from urllib.parse import urlsplit

import pytest

from lamia_gql.server import run
from tests.support.in_process_server import serve_in_process

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def test_a_request_that_comes_while_the_server_is_busy_is_answered(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An idle connection is closed, but not if a request arrived just before."""
    idle_s = 0.3
    monkeypatch.setattr(run, "KEEP_ALIVE_S", idle_s)
    loop = asyncio.get_running_loop()
    async with serve_in_process(sqlite_url) as server:
        address = urlsplit(server.url)
        with socket.create_connection((str(address.hostname), address.port or 0)) as client:
            client.setblocking(False)
            await loop.sock_sendall(client, REQUEST)
            assert (await loop.sock_recv(client, 1000)).startswith(b"HTTP/1.1 200 ")
            # The event loop is busy until the time of the connection is over. Then both callbacks
            # run one after the other, and nothing is read in between.
            loop.call_later(idle_s / 2, client.send, REQUEST)
            time.sleep(2 * idle_s)  # noqa: ASYNC251  (it is to block)
            assert (await loop.sock_recv(client, 1000)).startswith(b"HTTP/1.1 200 ")
            assert await loop.sock_recv(client, 1000) == b""

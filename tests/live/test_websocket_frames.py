"""Frames that no client should send over a WebSocket."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from typing import Any

import pytest
import websockets

from tests.support.harness import Server
from tests.support.live_clients import WebSocketClient

SUBSCRIBE = {"id": "1", "type": "subscribe"}


def junk(chance: random.Random) -> Any:
    """A frame that no client should send."""
    values: list[Any] = [
        None,
        True,
        0,
        -1.5,
        "",
        "x",
        [],
        {},
        [[]],
        {"query": "{ a }"},
        {"query": 1},
        "é\0",
    ]
    types = ["connection_init", "subscribe", "complete", "ping", "pong", "next", "error", "", None]
    match chance.randrange(7):
        case 0:
            return chance.randbytes(chance.randrange(200))
        case 1:
            return "".join(chance.choices('{}[]",:1truefalsn\\u\ud7ff é', k=chance.randrange(60)))
        case 2:
            return json.dumps(chance.choice(values))
        case 3:
            depth = chance.choice([10, 500, 5_000])
            return chance.choice(["[", '{"a":']) * depth
        case 4:
            deep: Any = "x"
            for _ in range(chance.choice([5, 100, 400])):
                deep = chance.choice([[deep], {"a": deep}])
            return json.dumps(SUBSCRIBE | {"payload": {"query": "{ a }", "variables": {"v": deep}}})
        case 5:
            return json.dumps(
                {
                    name: chance.choice(types if name == "type" else values)
                    for name in ("id", "type", "payload")
                    if chance.random() < 0.8
                }
            )
        case _:
            query = "".join(chance.choices('{}()$!:"#@.abc \n123subscription', k=40))
            return json.dumps(SUBSCRIBE | {"payload": {"query": query}})


@pytest.mark.parametrize("number", [400, pytest.param(4_000, marks=pytest.mark.slow)])
async def test_random_frames_are_answered_by_close_codes(
    sqlite_server: Server, number: int
) -> None:
    """Random frames are answered by a message or a close code, and the server still runs."""

    async def one(seed: int) -> None:
        chance = random.Random(seed)
        async with WebSocketClient(sqlite_server.url, greet=chance.random() < 0.8) as ws:
            try:
                for _ in range(chance.randrange(1, 4)):
                    frame = junk(chance)
                    # Fragments are assembled before anybody looks at them.
                    await ws.socket.send([frame[:3], frame[3:]] if seed % 5 == 0 else frame)
                    # So that some of the frames are sent together, and some after an answer.
                await asyncio.sleep(0)
                await ws.send("end of the junk")
            except websockets.ConnectionClosed:
                pass
            code, _ = await ws.closed()
            assert code in range(4400, 4430), (seed, code)

    for begin in range(0, number, 20):
        await asyncio.gather(*(one(seed) for seed in range(begin, begin + 20)))
    assert sqlite_server.complaints() == ""
    assert sqlite_server.graphql("{ server { version } }")


def test_text_that_is_not_utf_8_is_refused_without_a_traceback(sqlite_server: Server) -> None:
    """Invalid UTF-8 and invalid frames have close codes, without a traceback."""
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    host, port = sqlite_server.url.removeprefix("http://").split(":")
    request = (
        "GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
    )
    mask = bytes(4)
    for frame, code in (
        (b"\x81\x84" + mask + b"\xff\xfe\xfd\xfc", 4400),
        (b"\xf7\x84" + mask + b"\xff\xfe\xfd\xfc", 1002),
        (b"\x81\x04nope", 1002),
    ):
        with socket.create_connection((host, int(port))) as client:
            client.sendall(request.encode())
            assert client.recv(4096).startswith(b"HTTP/1.1 101")
            client.sendall(frame)
            answer = client.recv(4096)
            assert answer[0] == 0x88
            assert int.from_bytes(answer[2:4], "big") == code
    assert "Traceback" not in sqlite_server.log()

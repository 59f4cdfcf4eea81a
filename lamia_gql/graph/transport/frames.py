"""Results as messages of a WebSocket, which are written without waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson

from lamia_gql.graph.transport.result import Result
from lamia_gql.graph.transport.waiting_results import Push, SharedResult

KEPT_ENCODINGS = 8
"""For so many ids of operations, what is sent to all who use them is kept."""
FRAMES_EXTENSION = "lamia.frames"
"""The ASGI extension, set by our server protocol: the :class:`Frames` of the connection."""


class Frames:
    """Writes messages of one WebSocket past ASGI, of which each would take a turn of its own.

    Args:
        encode: makes the frame of a text message. It is the same for all clients.
    """

    __slots__ = ("encode", "transport")

    def __init__(self, encode: Callable[[bytes], bytes]) -> None:
        self.encode = encode
        self.transport: asyncio.WriteTransport | None = None
        """The connection; None while the client does not read."""

    def write(self, frames: bytes) -> bool:
        """Write frames, if the client is reading; whether they were written."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return False
        transport.write(frames)
        return True


class Output:
    """Writes the results of one operation at once, past their queue.

    With a thousand clients, the processor's cache has nothing of a client any more when its turn
    comes: so this looks at few objects.

    Args:
        frames: writes to the client; None where the server can't.
        key: the client's id of the operation.
    """

    __slots__ = ("_frames", "_key")

    def __init__(self, frames: Frames | None, key: str) -> None:
        self._frames = frames
        self._key = key

    def write(self, push: Push) -> bool:
        """Write results, if the client is reading; whether they were written."""
        frames = self._frames
        if frames is None:
            return False
        return frames.write(push.written.get(self._key) or _encode(frames, push, self._key))

    def close(self) -> None:
        """Write nothing any more: the client may use the id again."""
        self._frames = None


def next_message(key: str, result: Result) -> dict[str, Any]:
    """The message that brings a result of the operation with this id."""
    return {"id": key, "type": "next", "payload": orjson.Fragment(bytes(result.encoded))}


def _encode(frames: Frames, push: Push, key: str) -> bytes:
    encoded = b"".join(_encode_one(frames, shared, key) for shared in push.shared)
    # Most clients number their operations, but some use an id that nobody else has.
    if len(push.written) < KEPT_ENCODINGS:
        push.written[key] = encoded
    return encoded


def _encode_one(frames: Frames, shared: SharedResult, key: str) -> bytes:
    encoded = shared.written.get(key)
    if encoded is None:
        encoded = frames.encode(orjson.dumps(next_message(key, shared.result)))
        if len(shared.written) < KEPT_ENCODINGS:
            shared.written[key] = encoded
    return encoded

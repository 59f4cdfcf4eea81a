"""Results as messages of a WebSocket, which are written without waiting."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import orjson

from lamia_gql.graph.transport.result import Result
from lamia_gql.graph.transport.waiting_results import Push

KEPT_ENCODINGS = 8
"""For so many ids of operations, what is sent to all who use them is kept."""
FRAMES_EXTENSION = "lamia.frames"
"""The ASGI extension, set by our server protocol, that writes frames without waiting."""


class Frames(Protocol):
    """Writes messages of one WebSocket past ASGI, of which each would take a turn of its own."""

    def encode(self, messages: Iterable[bytes]) -> bytes:
        """The frames of text messages. They are the same for all clients."""

    def write(self, frames: bytes) -> bool:
        """Write frames, if the client is reading; whether they were written."""


def next_message(key: str, result: Result) -> dict[str, Any]:
    """The message that brings a result of the operation with this id."""
    return {"id": key, "type": "next", "payload": orjson.Fragment(bytes(result.encoded))}


def encode_push(frames: Frames, push: Push, key: str) -> bytes:
    """The frames of these results, for a client whose operation has this id."""
    encoded = push.written.get(key)
    if encoded is None:
        messages = [orjson.dumps(next_message(key, result)) for result in push.results]
        encoded = frames.encode(messages)
        # Most clients number their operations, but some use an id that nobody else has.
        if len(push.written) < KEPT_ENCODINGS:
            push.written[key] = encoded
    return encoded

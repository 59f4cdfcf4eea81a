"""Request bodies: size-limited, and JSON. Shared by GraphQL and REST."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

MAX_VALUES = 250_000
"""How many values a body may have. Each takes memory and time, however short its text is."""


class HttpError(Exception):
    """A request that is refused with an HTTP status and a coded error.

    Args:
        status: the HTTP status.
        code: the stable code of the error.
        message: the error in words.
        headers: headers of the response, such as ``allow``.
    """

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers


async def read_body(
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]], limit: int
) -> bytes:
    """The whole body, of JSON.

    Raises :class:`HttpError` as soon as it is longer than ``limit`` bytes, or has more than
    :data:`MAX_VALUES` values, or the client has disconnected.

    Args:
        receive: gives the next ASGI message of the request.
        limit: how many bytes it may have.
    """
    body = bytearray()
    values = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HttpError(400, "BAD_REQUEST", "The client has disconnected.")
        chunk = message["body"]
        more = message["more_body"]
        body += chunk
        if len(body) > limit:
            raise HttpError(413, "REQUEST_TOO_LARGE", f"A request may have at most {limit} bytes.")
        # Those in strings count as well: to tell them apart, it would have to be parsed.
        values += chunk.count(b",") + chunk.count(b"[") + chunk.count(b"{")
        if values > MAX_VALUES:
            raise HttpError(
                400,
                "TOO_MANY",
                f"A request may have at most {MAX_VALUES} JSON values, counted by commas and"
                " brackets: send less at once.",
            )
    return bytes(body)


def parse_json(text: str | bytes, subject: str) -> Any:
    """Parse JSON; ``subject`` names it in the error message.

    Raises :class:`HttpError`, also for invalid UTF-8 and for nesting that is too deep.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise HttpError(400, "BAD_REQUEST", f"{subject} is not valid JSON: {error}.") from error

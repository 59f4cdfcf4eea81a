"""The bodies of requests: bounded, and JSON; the same for every door."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Any

import orjson


class BadRequest(Exception):  # noqa: N818  (an answer, not an error of the program)
    """A request that can't be understood; answered with a status and a coded error."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers


async def gather(chunks: AsyncIterable[bytes], limit: int) -> bytes:
    """The whole body, of at most ``limit`` bytes. Raises :class:`BadRequest`."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limit:
            raise BadRequest(413, "REQUEST_TOO_LARGE", f"A request may have at most {limit} bytes.")
    return bytes(body)


def decode(text: str | bytes, what: str) -> Any:
    """The JSON of ``what``. Raises :class:`BadRequest`, also for bad UTF-8 and deep nesting."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadRequest(400, "BAD_REQUEST", f"{what} is not JSON: {error}.") from error

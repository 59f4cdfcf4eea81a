"""Encoding of answers as JSON; large ones in parts, between which others work."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, TypeAlias

import orjson

from lamia_gql.api.answer_budget import AnswerBudget

SMALL_BYTES = 1 << 20
"""A smaller answer is encoded at once."""
SMALL_BYTES_IN_THREAD = 4 << 20
"""A smaller answer is encoded at once in a thread: the others wait for less than a turn of it."""
SMALL_TEXT = 4096
"""The number of characters below which a text is encoded together with its neighbours."""


Encoded: TypeAlias = bytes | bytearray
"""JSON. A large one grows part by part: to copy it as a whole would take others' time, too."""


async def encode(body: dict[str, Any], budget: AnswerBudget) -> Encoded:
    """The body of an answer as JSON."""
    if budget.size < SMALL_BYTES:
        return orjson.dumps(body)
    encoded = bytearray()
    for part in _encode_parts(body):
        encoded += part
        await budget.checkpoint()
    return encoded


def encode_at_once(body: dict[str, Any], budget: AnswerBudget) -> Encoded:
    """The body of an answer as JSON; blocks, so it belongs into a thread."""
    # In parts, too, as no other thread runs while one is encoded.
    if budget.size < SMALL_BYTES_IN_THREAD:
        return orjson.dumps(body)
    encoded = bytearray()
    for part in _encode_parts(body):
        encoded += part
    return encoded


def _encode_parts(value: Any) -> Iterator[bytes]:
    if isinstance(value, dict) and not all(map(_is_small, value.values())):
        separator = b"{"
        for key, below in value.items():
            yield separator + orjson.dumps(key) + b":"
            yield from _encode_parts(below)
            separator = b","
        yield b"}"
    elif isinstance(value, list) and value:
        separator = b"["
        for below in value:
            yield separator
            yield from _encode_parts(below)
            separator = b","
        yield b"]"
    else:
        yield orjson.dumps(value)


def _is_small(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) < SMALL_TEXT
    return value is None or isinstance(value, int | float | datetime)

"""Encoding of answers as JSON; large ones in parts, between which others work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from lamia_gql.api.answer_budget import AnswerBudget

SMALL_BYTES = 1 << 20
"""A smaller answer is encoded at once."""
SMALL_TEXT = 4096
"""The number of characters below which a text is encoded together with its neighbours."""


async def encode(body: dict[str, Any], budget: AnswerBudget) -> bytes:
    """The body of an answer as JSON."""
    if budget.size < SMALL_BYTES:
        return orjson.dumps(body)
    parts = []
    for part in _encode_parts(body):
        parts.append(part)
        await budget.checkpoint()
    return b"".join(parts)


def encode_at_once(body: dict[str, Any], budget: AnswerBudget) -> bytes:
    """The body of an answer as JSON; blocks, so it belongs into a thread."""
    # In parts, too, as no other thread runs while one is encoded.
    return orjson.dumps(body) if budget.size < SMALL_BYTES else b"".join(_encode_parts(body))


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
    return value is None or isinstance(value, int | float)

"""The scalars of the schema that are not GraphQL's own, with their specifications and values."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from strawberry.schema.types.base_scalars import DateTimeDefinition, UUIDDefinition
from strawberry.types.scalar import ScalarDefinition

SCALARS: dict[object, ScalarDefinition] = {
    datetime: replace(
        DateTimeDefinition,
        description=(
            "A time, as in RFC 3339: `2026-01-31T12:00:00+00:00`. The server sends it in UTC. It"
            " accepts any ISO 8601 format, and takes a time without an offset as UTC."
        ),
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
    ),
    UUID: replace(
        UUIDDefinition,
        description="A UUID, as in RFC 9562: `0198f6a2-0000-7000-8000-000000000001`.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc9562",
    ),
}
"""The definitions that replace those of Strawberry, which have no specification."""


def stored_json(text: str | None) -> Any:
    """The value of a column that stores JSON as text: the text itself, to be sent as it is."""
    return None if text is None else orjson.Fragment(text)

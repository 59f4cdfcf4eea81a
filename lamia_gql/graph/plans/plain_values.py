"""Values without rows of their own: what they are in the answer, and what they count there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from lamia_gql.graph.reads import Reads

TIME, JSON = "DateTime", "JSON"
"""The names of scalars."""


def charge_json(reads: Reads, value: orjson.Fragment | None) -> orjson.Fragment | None:
    """Count a value that is sent as it is stored. Raises the error of the budget."""
    if value is not None:
        reads.charge(len(orjson.dumps(value)))
    return value


def _float(number: float | None) -> float | None:
    return None if number is None else float(number)


CONVERSIONS: dict[str, Callable[[Any], Any]] = {"Float": _float}
"""By the name of a scalar, what makes of a value what Strawberry would serialize it to.

A time stays a ``datetime``: it is encoded as Strawberry would serialize it.
"""

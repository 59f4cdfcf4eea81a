"""Parses media types and quality lists in headers, such as ``Accept`` and ``Accept-Encoding``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

REMEMBERED = 64
"""How many quality lists are remembered: clients send the same few again and again."""


class Preference(NamedTuple):
    """One entry of a quality list."""

    name: str
    """The media type or the encoding, in lower case."""
    quality: float
    """Its weight: 1 if none is given, and 0, which means not acceptable, if it is not a number."""
    parameters: Mapping[str, str]
    """All other parameters."""


@lru_cache(REMEMBERED)
def parse_quality_list(header: str) -> tuple[Preference, ...]:
    """Parse a list such as ``br;q=0.5, gzip``, in the order of the header."""
    found = []
    for entry in header.split(","):
        name, parameters = parse_media_type(entry)
        quality = _quality(parameters.pop("q", "1"))
        found.append(Preference(name, quality, parameters))
    return tuple(found)


def parse_media_type(text: str) -> tuple[str, dict[str, str]]:
    """Split ``name; parameter=value`` into its name and its parameters, all in lower case.

    Values lose their quotation marks. The first of several equal parameters counts.
    """
    name, *rest = (part.strip() for part in text.lower().split(";"))
    parameters: dict[str, str] = {}
    for part in rest:
        key, _, value = part.partition("=")
        parameters.setdefault(key, value.strip('"'))
    return name, parameters


def allows(accepted: str, encoding: str) -> bool:
    """Whether an ``Accept-Encoding`` header allows an encoding."""
    qualities = {name: quality for name, quality, _ in parse_quality_list(accepted)}
    return qualities.get(encoding, qualities.get("*", 0.0)) > 0


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0

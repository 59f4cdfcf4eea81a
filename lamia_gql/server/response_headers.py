"""Headers that every response has unless it says otherwise."""

from __future__ import annotations

DEFAULTS = {
    b"x-content-type-options": b"nosniff",
    b"cache-control": b"no-store",
}
"""Browsers take no response for another type than it declares, and nobody keeps the data."""


def add_defaults(headers: list[tuple[bytes, bytes]]) -> None:
    """Add :data:`DEFAULTS` to the headers of a response, whose names are in lower case."""
    names = {name for name, _ in headers}
    headers += [default for default in DEFAULTS.items() if default[0] not in names]

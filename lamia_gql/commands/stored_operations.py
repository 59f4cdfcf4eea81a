"""The operations that our own clients send, as they are published in ``schema/operations``."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def operation(name: str) -> str:
    """The document of an operation, by the name of its file."""
    package = Path(__file__).parents[1]
    shipped = package / "_schema"
    folder = shipped if shipped.is_dir() else package.parent / "schema"
    return (folder / "operations" / f"{name}.graphql").read_text()

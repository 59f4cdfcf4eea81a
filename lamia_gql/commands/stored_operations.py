"""The GraphQL operations that the commands send, as published in ``schema/operations``."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def load_operation(name: str) -> str:
    """Return the document in ``schema/operations/{name}.graphql``."""
    package = Path(__file__).parents[1]
    shipped = package / "_schema"
    folder = shipped if shipped.is_dir() else package.parent / "schema"
    return (folder / "operations" / f"{name}.graphql").read_text()

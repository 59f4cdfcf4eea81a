"""The GraphQL operations that our own clients send, as published in ``schema/operations``."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from graphql import parse, print_ast, separate_operations


@cache
def load_operation(name: str) -> str:
    """Return the document in ``schema/operations/{name}.graphql``."""
    return (_folder() / f"{name}.graphql").read_text()


def operation_names() -> set[str]:
    """The names of all operations in these documents, such as ``SubmitEvents``."""
    definition = re.compile(r"^(?:query|mutation|subscription) (\w+)", re.MULTILINE)
    return {name for text in _texts() for name in definition.findall(text)}


def stored_documents() -> list[str]:
    """All these documents; and for those with several operations, each with its fragments."""
    files = _texts()
    parts = [separate_operations(parse(text)) for text in files]
    return [*files, *(print_ast(each) for of in parts if len(of) > 1 for each in of.values())]


def _texts() -> list[str]:
    return [file.read_text() for file in sorted(_folder().glob("*.graphql"))]


def _folder() -> Path:
    package = Path(__file__).parents[1]
    shipped = package / "_schema"
    return (shipped if shipped.is_dir() else package.parent / "schema") / "operations"

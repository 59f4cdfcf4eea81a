"""Matching a text against a pattern in which ``*`` is any text and ``?`` any one character."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, ColumnElement, Dialect, Text, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.visitors import InternalTraversal
from sqlalchemy.types import TypeDecorator


class _Pattern(TypeDecorator[str]):
    """A pattern, written as the engine's operator needs it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """For GLOB of SQLite, which has sets in brackets as well; or else for LIKE."""
        if value is None:
            return None
        if dialect.name == "sqlite":
            return value.replace("[", "[[]")
        escaped = value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return escaped.replace("*", "%").replace("?", "_")


class Glob(ColumnElement[bool]):
    """Whether ``column`` matches ``pattern``, in the same case.

    SQLite compares with GLOB, since its LIKE ignores case; PostgreSQL with LIKE.
    """

    inherit_cache = True
    type = Boolean()
    _traverse_internals = [  # noqa: RUF012  (SQLAlchemy's own name and form)
        ("column", InternalTraversal.dp_clauseelement),
        ("pattern", InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, column: Any, pattern: str) -> None:
        self.column = column.__clause_element__()
        self.pattern = bindparam(column.key, pattern, type_=_Pattern(), unique=True)

    def self_group(self, against: Any = None) -> Glob:
        """Itself: SQLAlchemy would compare it with 1 on SQLite, and SQLite not use an index."""
        return self

    @property
    def _from_objects(self) -> list[Any]:
        return [*self.column._from_objects]


@compiles(Glob, "sqlite")
def _glob(match: Glob, compiler: SQLCompiler, **options: Any) -> str:
    return f"({compiler.process(match.column.op('GLOB')(match.pattern), **options)})"


@compiles(Glob, "postgresql")
def _like(match: Glob, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(match.column.like(match.pattern, escape="\\"), **options)


def matches(text: str, pattern: str) -> bool:
    """Whether a text matches a pattern, by the rules of :class:`Glob`; in linear time."""
    first, *others = pattern.split("*")
    if not _fits(text, first, 0):
        return False
    if not others:
        return len(text) == len(first)
    place = len(first)
    *middle, last = others
    for part in middle:
        place = _find(text, part, place)
        if place < 0:
            return False
        place += len(part)
    end = len(text) - len(last)
    return end >= place and _fits(text, last, end)


def _fits(text: str, part: str, place: int) -> bool:
    """Whether a pattern without ``*`` matches a text at a place."""
    if "?" not in part:
        return text.startswith(part, place)
    found = text[place : place + len(part)]
    return len(found) == len(part) and all(
        wanted in ("?", given) for wanted, given in zip(part, found, strict=True)
    )


def _find(text: str, part: str, place: int) -> int:
    """The first place from ``place`` on where a pattern without ``*`` matches, or -1."""
    if "?" not in part:
        return text.find(part, place)
    places = range(place, len(text) - len(part) + 1)
    return next((found for found in places if _fits(text, part, found)), -1)

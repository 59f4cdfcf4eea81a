"""Between which keysets a page lies, as parameters: all pages of a list have the same statement."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import BindParameter, ColumnElement, bindparam

from lamia_gql.domain.pagination import Page

SIZE: BindParameter[int] = bindparam("size", required=False)
"""How many rows are read."""


class Bounds(NamedTuple):
    """Which bounds a page has, and its direction."""

    after: bool
    before: bool
    backward: bool

    @classmethod
    def of(cls, page: Page) -> Bounds:
        """The bounds of a page."""
        return cls(page.after is not None, page.before is not None, page.backward)


def parameters(page: Page) -> dict[str, Any]:
    """The parameters of a statement that reads a page, and one row more."""
    found: dict[str, Any] = {"size": page.size + 1}
    for side, keyset in (("after", page.after), ("before", page.before)):
        for place, value in enumerate(keyset or ()):
            found[f"{side}_{place}"] = value
    return found


def bound(side: str, column: ColumnElement[Any], place: int = 0) -> BindParameter[Any]:
    """A value of the keyset on a side.

    Args:
        side: ``after`` or ``before``.
        column: what it is compared with.
        place: its place in the keyset.
    """
    return bindparam(f"{side}_{place}", required=False, type_=column.type)


def between(column: ColumnElement[Any], bounds: Bounds) -> list[ColumnElement[bool]]:
    """The conditions that a column, which is the whole keyset and rises, is within the bounds."""
    found = []
    if bounds.after:
        found.append(column > bound("after", column))
    if bounds.before:
        found.append(column < bound("before", column))
    return found

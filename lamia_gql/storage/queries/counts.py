"""Counting rows, up to a limit beyond which their exact number would take too long to find."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import ScalarSelect, Select, func, select

COUNT_LIMIT = 10_000
"""Rows that match a filter are counted up to this number."""


class Count(NamedTuple):
    """The length of a list, or a lower bound of it."""

    number: int
    is_exact: bool = True
    """Whether the list has exactly that many entries. Otherwise it has more."""

    @classmethod
    def of_limited(cls, found: int) -> Count:
        """The count that a statement of :func:`limited_count` has found."""
        return cls(min(found, COUNT_LIMIT), found <= COUNT_LIMIT)


def limited_count(rows: Select[Any]) -> ScalarSelect[int]:
    """The number of rows that a statement selects, at most one more than the limit."""
    return (
        select(func.count()).select_from(rows.limit(COUNT_LIMIT + 1).subquery()).scalar_subquery()
    )

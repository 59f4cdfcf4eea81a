"""Rows that SQLite gives as JSON: many in one text."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Float, Select, case, func

KEYS_OF_A_TEXT = 8
"""The rows of so many keys are in one text: it is decoded at once, and others wait meanwhile."""


def in_json(select: Select[Any]) -> Select[Any]:
    """Texts instead of rows, of which each is a JSON array of some of the rows, in any order.

    Args:
        select: a SELECT for SQLite that ends with ``place``, the position of a key.
    """
    columns = list(select.selected_columns)
    rows = func.json_group_array(func.json_array(*map(_exact, columns)))
    texts = select.with_only_columns(rows, maintain_column_froms=True)
    return texts.group_by(columns[-1].op("/")(KEYS_OF_A_TEXT))


def _exact(column: ColumnElement[Any]) -> ColumnElement[Any]:
    if not isinstance(column.type, Float):
        return column
    # SQLite would write 15 digits, and a float may need 17.
    return case((column.is_not(None), func.json(func.printf("%!.20e", column))))

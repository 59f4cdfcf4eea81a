"""Fetching the rows of a statement that is run with keys."""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy import Connection

from lamia_gql.storage.row_shape import RowShape
from lamia_gql.storage.statement import Statement

R = TypeVar("R", bound=tuple[Any, ...])


def fetch_by_place(
    connection: Connection,
    statement: Statement,
    shape: RowShape[R],
    number: int,
    *,
    backward: bool = False,
    **parameters: Any,
) -> list[list[R]]:
    """The rows of each of ``number`` keys, in the order of what identifies them, or backward.

    The statement gives the columns of the shape, and then ``place``, the position of the key.
    """
    driver_rows = statement.fetch_keyed(connection, **parameters)
    rows = shape.reader(connection.dialect)(driver_rows)
    # The database would take longer: it does not know that most of them are in order.
    if number == 1:
        return [sorted(rows, reverse=backward)]
    found: list[list[R]] = [[] for _ in range(number)]
    for driver_row, row in zip(driver_rows, rows, strict=True):
        found[driver_row[-1]].append(row)
    for group in found:
        group.sort(reverse=backward)
    return found


def fetch_one_by_place(
    connection: Connection,
    statement: Statement,
    shape: RowShape[R],
    number: int,
    **parameters: Any,
) -> list[R | None]:
    """The row of each of ``number`` keys, which have one at most; likewise."""
    driver_rows = statement.fetch_keyed(connection, **parameters)
    rows = shape.reader(connection.dialect)(driver_rows)
    found: list[R | None] = [None] * number
    for driver_row, row in zip(driver_rows, rows, strict=True):
        found[driver_row[-1]] = row
    return found

"""A list of keys as one parameter of a statement.

A statement for one key and a statement for a thousand keys have the same text, so that it is
compiled, and prepared by the database, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from sqlalchemy import (
    JSON,
    BigInteger,
    FromClause,
    Text,
    Uuid,
    bindparam,
    cast,
    column,
    func,
    select,
)
from sqlalchemy.types import TypeEngine

INT = BigInteger()
TEXT = Text()
UUID = Uuid(as_uuid=False)


def keys(is_sqlite: bool, **types: TypeEngine[Any]) -> FromClause:
    """A table named ``k`` with these columns and, first, ``place``: each key's place in the list.

    Its rows are the parameter ``keys``, made by :func:`encode` from tuples in the order of the
    columns.
    """
    given = bindparam("keys", type_=Text())
    if is_sqlite:
        each = func.json_each(given).table_valued("key", "value", name="given")
        fields = [
            func.json_extract(each.c.value, f"$[{place}]").label(name)
            for place, name in enumerate(types)
        ]
        return select(each.c.key.label("place"), *fields).subquery("k")
    each = (
        func.json_array_elements(cast(given, JSON))
        .table_valued("value", with_ordinality="place", name="given")
        .render_derived()
    )
    fields = [
        cast(each.c.value.op("->>")(place), kind).label(name)
        for place, (name, kind) in enumerate(types.items())
    ]
    return (
        select((column("place", BigInteger()) - 1).label("place"), *fields)
        .select_from(each)
        .subquery("k")
    )


def encode(rows: Iterable[Sequence[Any]]) -> str:
    """The parameter for :func:`keys`."""
    return orjson.dumps([list(row) for row in rows]).decode()


def encode_uuid(is_sqlite: bool, uuid: str) -> str:
    """A UUID as the engine keeps it."""
    return uuid.replace("-", "") if is_sqlite else uuid

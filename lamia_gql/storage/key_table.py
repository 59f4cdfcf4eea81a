"""A list of keys as one parameter of a statement.

A statement for one key has the same text as a statement for a thousand keys. So SQLAlchemy
compiles it once, and the database prepares it once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson
from sqlalchemy import (
    JSON,
    BigInteger,
    BindParameter,
    Boolean,
    ColumnElement,
    Dialect,
    FromClause,
    TableClause,
    Text,
    bindparam,
    case,
    cast,
    column,
    func,
    literal_column,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.visitors import InternalTraversal
from sqlalchemy.types import TypeDecorator, TypeEngine

from lamia_gql.storage.column_types import UTCDateTime, UUIDText

INT = BigInteger()
TEXT = Text()
UUID = UUIDText()
TIME = UTCDateTime()

LEAST_KEY: BindParameter[int] = bindparam("least_key", required=False, type_=INT)
GREATEST_KEY: BindParameter[int] = bindparam("greatest_key", required=False, type_=INT)
"""Between these two lie the first values of all keys; a statement that has them is given them."""

Keys = Iterable[Sequence[Any]]


def encode_keys(keys: Keys) -> str:
    """A list of keys as a JSON array of arrays."""
    return orjson.dumps([list(key) for key in keys]).decode()


class KeyList(TypeDecorator[Keys]):
    """The type of the parameter ``keys``: tuples with one value per column of the key table.

    Each value is encoded in the form in which the engine stores a column of that type.

    Args:
        types: the types of the columns, in their order.
    """

    impl = Text
    cache_ok = True

    def __init__(self, types: tuple[TypeEngine[Any], ...]) -> None:
        super().__init__()
        self.types = types

    def bind_processor(self, dialect: Dialect) -> Callable[[Keys | None], str]:
        """From a list of keys to the parameter; found once per compiled statement."""
        found = [kind.dialect_impl(dialect).bind_processor(dialect) for kind in self.types]
        stored = [(place, process) for place, process in enumerate(found) if process is not None]

        def process(keys: Keys | None) -> str:
            if not stored:
                return encode_keys(keys or ())
            rows = [list(key) for key in keys or ()]
            for row in rows:
                for place, process in stored:
                    row[place] = process(row[place])
            return encode_keys(rows)

        return process


class KeyTable(TableClause):
    """A table of the keys that a statement is run with.

    SQLite reads them with ``json_each``, PostgreSQL with ``json_array_elements``.
    """

    inherit_cache = True
    _traverse_internals = [  # noqa: RUF012  (SQLAlchemy's own name and form)
        *TableClause._traverse_internals,
        ("parameter", InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, types: dict[str, TypeEngine[Any]]) -> None:
        super().__init__("k", column("place", BigInteger()), *map(column, types, types.values()))
        self.types = types
        self.parameter = bindparam("keys", required=False, type_=KeyList(tuple(types.values())))


def key_table(**types: TypeEngine[Any]) -> FromClause:
    """A table named ``k`` with these columns, and ``place``: the position of each key, from 0.

    A statement that has it is run with the parameter ``keys``: a list of tuples, each with the
    values of the columns in the order in which they are given here.
    """
    return KeyTable(types)


class _WithinKeys(ColumnElement[bool]):
    inherit_cache = False
    type = Boolean()

    def __init__(self, task_id: Any) -> None:
        self.task_id = task_id


def within_keys(task_id: Any) -> ColumnElement[bool]:
    """A condition on the task of rows of a partitioned table, which those of all keys meet.

    By it, PostgreSQL leaves out the other partitions when a statement begins, and yet has one plan
    for all values.
    """
    return _WithinKeys(task_id)


@compiles(_WithinKeys, "sqlite")
def _always(_condition: _WithinKeys, _compiler: SQLCompiler, **_options: Any) -> str:
    return "1"


@compiles(_WithinKeys, "postgresql")
def _between(condition: _WithinKeys, compiler: SQLCompiler, **options: Any) -> str:
    # What depends on now() is not known before the statement runs. For the value of a parameter, a
    # plan would have one partition, and seem cheaper; but to make it takes longer than to run it.
    known = func.now().is_not(None)
    least, greatest = (case((known, key)) for key in (LEAST_KEY, GREATEST_KEY))
    return compiler.process(condition.task_id.between(least, greatest), **options)


@compiles(KeyTable, "sqlite")
def _json_each(keys: KeyTable, compiler: SQLCompiler, **options: Any) -> str:
    each = func.json_each(keys.parameter).table_valued("key", "value", name="given")
    fields = [
        func.json_extract(each.c.value, f"$[{place}]").label(name)
        for place, name in enumerate(keys.types)
    ]
    return _render(keys, select(each.c.key.label("place"), *fields), compiler, **options)


@compiles(KeyTable, "postgresql")
def _json_array_elements(keys: KeyTable, compiler: SQLCompiler, **options: Any) -> str:
    each = (
        func.json_array_elements(cast(keys.parameter, JSON))
        .table_valued("value", with_ordinality="place", name="given")
        .render_derived()
    )
    fields = [
        cast(each.c.value.op("->>")(place), kind).label(name)
        for place, (name, kind) in enumerate(keys.types.items())
    ]
    place = (column("place", BigInteger()) - 1).label("place")
    # PostgreSQL takes any array for one of a hundred values, and reads tables whole to join them.
    # Of a hundred, it expects one to meet a condition.
    is_key = func.json_typeof(each.c.value) == literal_column("'array'")
    # With an offset, the values of a key are taken out of the JSON once, not for each joined row.
    rows = select(place, *fields).select_from(each).where(is_key).offset(literal_column("0"))
    return _render(keys, rows, compiler, **options)


def _render(
    keys: KeyTable, rows: Any, compiler: SQLCompiler, from_linter: Any = None, **options: Any
) -> str:
    if from_linter:
        # SQLAlchemy warns of tables that nothing joins: it knows this one, not the subquery.
        from_linter.froms[keys] = keys.name
    return compiler.process(rows.subquery(keys.name), **options)

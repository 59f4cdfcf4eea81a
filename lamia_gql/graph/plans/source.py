"""Generates the functions that turn rows, and plain objects, into the dicts of an answer.

Lists of objects are comprehensions over rows, without a call per field. The source consists of
names that are made here, and of literals of response keys; nothing of it comes from a client
otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lamia_gql.storage.row_shape import COMPUTED, STORED_PREFIX, RowShape, shown_time

Build = Callable[..., list[dict[str, Any]]]
Expression = Callable[["Layout"], str]
"""Gives the source of a value, once it is known where the columns are."""


SHOWN_TIME = "shown_time"


class Namespace:
    """The names that generated source uses, with what they stand for."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {SHOWN_TIME: shown_time}
        self.values |= {name: computed.function for name, computed in COMPUTED.items()}

    def name(self, value: Any) -> str:
        """A name for this value."""
        name = f"g{len(self.values)}"
        self.values[name] = value
        return name

    def evaluate(self, source: str) -> Any:
        """The value of an expression in this namespace."""
        return eval(source, self.values)  # noqa: S307  (of our own making, see above)


class Layout:
    """Where the columns of a row, and of the process of a job, are in their tuples."""

    def __init__(self, shape: RowShape[Any] | None, owner: RowShape[Any] | None) -> None:
        self._columns = _positions(shape)
        self._owner = _positions(owner)
        self.uses_owner = False
        self.targets = [f"c{place}" for place in range(len(self._columns))]
        """What the values of a row are named."""
        if shape is not None and shape.is_plain:
            self.targets.append("_")

    def column(self, name: str) -> str:
        """The expression of a column."""
        place = self._columns.get(name)
        if place is None:
            # A row that was written has all columns, and nothing that is computed from them.
            return call(name, [self.column(each) for each in COMPUTED[name].columns])
        return f"c{place}"

    def time(self, name: str) -> str:
        """The expression of a column that is a time, as it is in the answer."""
        place = self._columns.get(STORED_PREFIX + name)
        # A row that was written has all columns as Python values.
        return self.column(name) if place is None else call(SHOWN_TIME, [f"c{place}"])

    def owner(self, name: str) -> str:
        """The expression of a column of the process."""
        self.uses_owner = True
        return f"o[{self._owner[name]}]"


def _positions(shape: RowShape[Any] | None) -> dict[str, int]:
    return {} if shape is None else {name: place for place, name in enumerate(shape.fields)}


def rows_to_dicts(
    names: Namespace, entries: Mapping[str, Expression], layout: Layout, values: int
) -> Build:
    """A function of rows, owners, reads and lists of ``values`` values, to one dict for each row.

    The expressions may use the columns, ``o``: the owner, ``reads``, and ``v0``, ``v1`` …: the
    values of the row.
    """
    body = _dict({key: expression(layout) for key, expression in entries.items()})
    targets, sources = ["_"], ["rows"]
    if layout.targets:
        targets = ["(" + "".join(f"{target}," for target in layout.targets) + ")"]
    if layout.uses_owner:
        targets.append("o")
        sources.append("owners")
    for place in range(values):
        targets.append(f"v{place}")
        sources.append(f"values[{place}]")
    each = f"zip({', '.join(sources)})" if len(sources) > 1 else "rows"
    build: Build = names.evaluate(
        f"lambda rows, owners, reads, values: [{body} for {', '.join(targets)} in {each}]"
    )
    return build


def objects_to_dicts(
    names: Namespace, entries: Mapping[str, str], values: int
) -> Callable[[Sequence[Any], Sequence[Sequence[Any]]], list[dict[str, Any]]]:
    """A function of objects, and of lists of ``values`` values, to one dict for each object.

    The entries are expressions that may use ``o``: the object, and ``v0``, ``v1`` …: its values.
    """
    targets = ["o", *(f"v{place}" for place in range(values))]
    each = "zip(objects, *values)" if values else "objects"
    build: Callable[[Sequence[Any], Sequence[Sequence[Any]]], list[dict[str, Any]]]
    build = names.evaluate(
        f"lambda objects, values: [{_dict(entries)} for {', '.join(targets)} in {each}]"
    )
    return build


def object_to_dict(names: Namespace, entries: Mapping[str, Callable[[str], str]]) -> str:
    """The name of a function of one object, or None, to its dict.

    The entries give an expression for the name of the object.
    """
    body = _dict({key: entry("o") for key, entry in entries.items()})
    return names.name(names.evaluate(f"lambda o: None if o is None else {body}"))


def _dict(entries: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{key!r}: {source}" for key, source in entries.items()) + "}"


def constant(value: str) -> Expression:
    """A constant."""
    return lambda _: repr(value)


def variable(name: str) -> Expression:
    """A name in the generated code."""
    return lambda _: name


def column_of(name: str) -> Expression:
    """A column of the row."""
    return lambda layout: layout.column(name)


def owned(name: str) -> Expression:
    """A column of the process of a job."""
    return lambda layout: layout.owner(name)


def dict_of(entries: Mapping[str, Expression]) -> Expression:
    """An object with these entries."""
    return lambda layout: _dict({key: each(layout) for key, each in entries.items()})


def dict_or_null(entries: Mapping[str, Expression]) -> Expression:
    """Likewise; null where the first of its values is."""
    first, made = next(iter(entries.values())), dict_of(entries)
    return lambda layout: f"(None if {first(layout)} is None else {made(layout)})"


def columns_of(rows: str, shape: RowShape[Any] | None, columns: Sequence[str]) -> str:
    """The source of a list of what rows of a shape have in a column, or in several, as tuples."""
    assert shape is not None
    values = [f"row[{shape.fields.index(name)}]" for name in columns]
    each = values[0] if len(values) == 1 else f"({', '.join(values)})"
    return f"[{each} for row in {rows}]"


def call(function: str, arguments: Sequence[str]) -> str:
    """The source of a call."""
    return f"{function}({', '.join(arguments)})"

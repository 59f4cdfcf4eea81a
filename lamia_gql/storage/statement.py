"""SELECTs that are run again and again: their text is made once, and the driver runs them.

SQLAlchemy takes a hundred times as long as SQLite to run a statement that finds a row by its key.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Generic, TypeVar

import orjson
from sqlalchemy import Connection, Dialect, Select, SelectBase

from lamia_gql.storage.driver import Cursor, Driver
from lamia_gql.storage.json_rows import in_json
from lamia_gql.storage.key_table import GREATEST_KEY, LEAST_KEY

R = TypeVar("R", bound=tuple[Any, ...])
STATEMENTS_KEPT = 256
"""How many statements of one kind are kept, rather than built anew for each read."""
DriverRow = tuple[Any, ...]
Convert = Callable[[Any], Any]


class Statement:
    """A SELECT. Its parameters without a value of their own are given whenever it runs.

    Args:
        select: the SELECT, or what makes it from the name of the engine: ``sqlite`` or
            ``postgresql``.
    """

    def __init__(self, select: SelectBase | Callable[[str], SelectBase]) -> None:
        self._select = select
        self._compiled: dict[str, _Compiled] = {}
        self._compiled_in_json: _Compiled | None = None

    def start(self, driver: Driver, **parameters: Any) -> Cursor:
        """Run it; its cursor."""
        compiled = self._on(driver.dialect)
        return driver.execute(compiled.text, compiled.parameters(parameters))

    def fetch(self, connection: Connection, **parameters: Any) -> list[DriverRow]:
        """All rows, as the driver gives them."""
        driver = Driver(connection)
        return driver.fetch(self.start(driver, **parameters))

    def fetch_keyed(self, connection: Connection, **parameters: Any) -> Sequence[Sequence[Any]]:
        """All rows in any order, as the driver gives them, for a SELECT that ends with ``place``.

        SQLite gives those of several keys as one text. Row by row, the driver takes longer, and
        gives the interpreter away for each.
        """
        driver = Driver(connection)
        if not driver.is_sqlite:
            return driver.fetch(self.start(driver, **parameters))
        if self._compiled_in_json is None:
            select = self._select_for(driver.dialect)
            assert isinstance(select, Select)
            self._compiled_in_json = _Compiled(in_json(select), driver.dialect)
        compiled = self._compiled_in_json
        cursor = driver.execute(compiled.text, compiled.parameters(parameters))
        return [row for (text,) in driver.iterate(cursor) for row in orjson.loads(text)]

    def values(self, connection: Connection, **parameters: Any) -> Iterable[Sequence[Any]]:
        """All rows, with Python values."""
        driver = Driver(connection)
        return self.fetch_values(driver, self.start(driver, **parameters))

    def fetch_values(self, driver: Driver, cursor: Cursor) -> Iterable[Sequence[Any]]:
        """All rows of a cursor of this statement, with Python values."""
        return self._on(driver.dialect).values(driver.fetch(cursor), cursor)

    @contextmanager
    def stream(self, connection: Connection, **parameters: Any) -> Iterator[Iterator[DriverRow]]:
        """The rows one by one, as the driver gives them.

        The cursor is closed at the end of the block, also where the rest is not read: an open one
        would keep its state of the database.
        """
        driver = Driver(connection)
        with closing(self.start(driver, **parameters)) as cursor:
            yield driver.iterate(cursor)

    def _on(self, dialect: Dialect) -> _Compiled:
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = _Compiled(self._select_for(dialect), dialect)
        return found

    def _select_for(self, dialect: Dialect) -> SelectBase:
        select = self._select
        return select if isinstance(select, SelectBase) else select(dialect.name)


class BulkRead(Generic[R]):
    """A SELECT with a key table (see :mod:`lamia_gql.storage.key_table`) for the write path.

    Args:
        select: the SELECT, or what makes it, as for :class:`Statement`; its only parameters without
            a value are ``keys``, and the bounds of the keys.
        row: makes a row of the values of the columns.
    """

    def __init__(
        self,
        select: SelectBase | Callable[[str], SelectBase],
        row: Callable[[Iterable[Any]], R],
    ) -> None:
        self._statement = Statement(select)
        self._row = row

    def run_on(self, driver: Driver, keys: Collection[Sequence[Any]]) -> list[R]:
        """The rows for these keys."""
        return self.start(driver, keys)()

    def start(self, driver: Driver, keys: Collection[Sequence[Any]]) -> Callable[[], list[R]]:
        """Run the statement, unless there are no keys; a function that gives the rows."""
        if not keys:
            return list
        cursor = self._statement.start(driver, keys=keys)
        return lambda: list(map(self._row, self._statement.fetch_values(driver, cursor)))


class _Compiled:
    """A SELECT in the driver's form, and the conversion of the values that need one."""

    def __init__(self, select: SelectBase, dialect: Dialect) -> None:
        kind_of_dialect: Any = type(dialect)
        style = "qmark" if dialect.name == "sqlite" else "numeric_dollar"
        compiled: Any = select.compile(
            dialect=kind_of_dialect(paramstyle=style), compile_kwargs={"render_postcompile": True}
        )
        self.text: str = compiled.string
        encoders = {
            name: bind.type.dialect_impl(dialect).bind_processor(dialect)
            for name, bind in compiled.binds.items()
        }
        self._values: list[Any] = []
        self._places: dict[str, list[tuple[int, Convert | None]]] = {}
        for place, name in enumerate(compiled.positiontup):
            # The values of IN have names of their own. Their types are stored as they are.
            encode = encoders.get(name)
            value = compiled.params[name]
            self._values.append(value if encode is None or value is None else encode(value))
            self._places.setdefault(name, []).append((place, encode))
        self._needed = {name for name, value in compiled.params.items() if value is None}
        self._is_bounded = LEAST_KEY.key in self._needed
        self._types = [column.type.dialect_impl(dialect) for column in select.selected_columns]
        self._dialect = dialect
        self._decoders: list[tuple[int, Convert]] | None = None

    def parameters(self, given: dict[str, Any]) -> list[Any]:
        if self._is_bounded:
            first = [key[0] for key in given["keys"]]
            given |= {LEAST_KEY.key: min(first, default=0), GREATEST_KEY.key: max(first, default=0)}
        if given.keys() != self._needed:
            raise TypeError(f"the parameters are {sorted(self._needed)}, not {sorted(given)}")
        values = self._values.copy()
        for name, value in given.items():
            for place, encode in self._places[name]:
                values[place] = value if encode is None else encode(value)
        return values

    def values(self, rows: list[DriverRow], cursor: Cursor) -> Iterable[Sequence[Any]]:
        if not rows:
            return rows
        if self._decoders is None:
            self._decoders = self._find_decoders(cursor)
        if not self._decoders:
            return rows
        columns: list[Any] = list(zip(*rows, strict=True))
        for place, decode in self._decoders:
            columns[place] = map(decode, columns[place])
        return zip(*columns, strict=True)

    def _find_decoders(self, cursor: Cursor) -> list[tuple[int, Convert]]:
        # Which ones there are depends on the types that the driver has found.
        found = [
            kind.result_processor(self._dialect, column[1])
            for kind, column in zip(self._types, cursor.description, strict=True)
        ]
        return [(place, decode) for place, decode in enumerate(found) if decode is not None]

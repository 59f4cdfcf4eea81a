"""What a level reads below its rows: inputs, plain values, and single rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized
from itertools import islice
from typing import Any

import orjson

from lamia_gql.graph.inputs import INPUTS
from lamia_gql.graph.plans.levels import Child, Level, Needs, Run, TypeLevel
from lamia_gql.graph.reads import KeyRead, Reads, Rows
from lamia_gql.graph.types.declarations import Read
from lamia_gql.storage.base import Base
from lamia_gql.storage.models import Job, Process
from lamia_gql.storage.row_shape import RowShape


class InputChild(Child):
    """An input of derived fields."""

    def __init__(self, name: str) -> None:
        self._input = INPUTS[name]

    def values(self, run: Run, rows: Rows, _owners: Rows) -> Sequence[Any]:
        """The input of each row."""
        return self._input.read(run.reads, rows)


class OwnerChild(Child):
    """The process of a job, whose row came together with the job."""

    def __init__(self, level: Level) -> None:
        self._level = level

    def prepare(self, _shape: RowShape[Any] | None, owner: RowShape[Any] | None) -> None:
        """Learn what processes look like."""
        self._level.prepare(owner)

    def values(self, run: Run, _rows: Rows, owners: Rows) -> Sequence[Any]:
        """The dict of each process."""
        return run_distinct(self._level, run, owners)


class ReadingChild(Child):
    """What a declaration reads, for the arguments at its place in the plan."""

    def __init__(self, declaration: Read, place: int) -> None:
        self._declaration = declaration
        self.place = place
        """Where the arguments of the field are."""

    def read(self, run: Run) -> Any:
        """What is to be read."""
        return self._declaration.call(run.reads, run.arguments(self.place))


class OnceChild(ReadingChild):
    """What is read once for each row.

    Args:
        declaration: the declaration of the field.
        place: where its arguments are.
        key: how many of the first columns of a row are its key; 0 for the only row of a root.
    """

    def __init__(self, declaration: Read, place: int, key: int) -> None:
        super().__init__(declaration, place)
        self._key = key

    def find(self, run: Run, rows: Rows) -> Sequence[Any]:
        """What is read for each row."""
        read, reads = self.read(run), run.reads
        if not self._key:
            return read.read(reads, rows)  # type: ignore[no-any-return]
        by_key = {row[: self._key]: row for row in rows}

        def read_missing(keys: list[Any]) -> Sequence[Any]:
            return read.read(reads, [by_key[key] for key in keys])  # type: ignore[no-any-return]

        keys = [row[: self._key] for row in rows]
        return reads.once(("value", read.key), keys, read_missing)


class ValueChild(OnceChild):
    """A plain value: a number, a text, or a list of objects."""

    def values(self, run: Run, rows: Rows, _owners: Rows) -> Sequence[Any]:
        """The value of each row."""
        found, reads = self.find(run, rows), run.reads
        for value in found:
            if isinstance(value, str):
                reads.charge(len(value))
            elif isinstance(value, Sized):
                reads.charge(0, len(value))
        return found


class ComputedChild(OnceChild):
    """A computed row, or a list of them."""

    def __init__(self, declaration: Read, place: int, key: int, level: TypeLevel) -> None:
        super().__init__(declaration, place, key)
        self._level = level
        self._computed = declaration.computed

    def prepare(self, _shape: RowShape[Any] | None, _owner: RowShape[Any] | None) -> None:
        """The rows always look the same."""
        self._level.prepare(self._computed, None)

    def values(self, run: Run, rows: Rows, _owners: Rows) -> Sequence[Any]:
        """The dict of each row, or the dicts of each list."""
        found = self.find(run, rows)
        if not isinstance(found[0], list):
            return self._level.run(run, found, ())
        lists: Sequence[list[Any]] = found
        dicts = iter(self._level.run(run, [row for each in lists for row in each], ()))
        return [list(islice(dicts, len(each))) for each in lists]


class RowChild(ReadingChild):
    """Another row, or None."""

    def __init__(
        self,
        declaration: Read,
        place: int,
        entity: type[Base],
        level: Level,
        *,
        owner_is_row: bool,
    ) -> None:
        super().__init__(declaration, place)
        self._level = level
        self._entity = entity
        self._is_pair = entity is Job
        level.needs.owner_names |= declaration.owner_needs
        self.needs = level.needs
        self._owner_is_row = owner_is_row
        self._shape = level.needs.shape(entity)
        self._owner_shape = level.needs.owner_shape()

    def process_needs(self) -> Needs:
        """What it needs of the process that it reads, by itself or together with a job."""
        needs = self.needs
        if self._is_pair and not self._owner_is_row:
            return Needs(set(needs.owner_names), set(needs.owner_stored))
        if self._entity is Process:
            return Needs(set(needs.names), set(needs.stored))
        return Needs()

    def share_process(self, needs: Needs) -> None:
        """Read the process with what its siblings need, too: then it is read once for all."""
        if self._is_pair:
            self._owner_shape = needs.shape(Process)
        elif self._entity is Process:
            self._shape = needs.shape(Process)

    def prepare(self, shape: RowShape[Any] | None, _owner: RowShape[Any] | None) -> None:
        """Learn what the rows look like; the row itself may be the process of the job."""
        self._level.prepare(self._shape, shape if self._owner_is_row else self._owner_shape)

    def values(self, run: Run, rows: Rows, _owners: Rows) -> Sequence[Any]:
        """The dict of each row that is found."""
        return self.dicts(run, self.read(run), rows)

    @property
    def is_by_key(self) -> bool:
        """Whether the row is found by a key, so that the rows of many can be found at once."""
        return self._declaration.is_by_key

    def find_many(self, reads: Reads, each: Sequence[Mapping[str, Any]]) -> Sequence[Any]:
        """The row that is found by a key for each of these arguments."""
        wanted: list[KeyRead] = [self._declaration.call(reads, given) for given in each]
        keys = list(dict.fromkeys(read.wanted for read in wanted))
        rows = wanted[0].find(reads.connection, keys, self._shape)
        found = dict(zip(keys, rows, strict=True))
        return [found[read.wanted] for read in wanted]

    def dicts(self, run: Run, read: Any, rows: Rows) -> Sequence[Any]:
        """The dict of what a read finds for each row."""
        return self.shown(run, read.read(run.reads, rows, self._shape, self._owner_shape))

    def shown(self, run: Run, found: Sequence[Any]) -> Sequence[Any]:
        """The dict of each row that was found. Raises an error among them."""
        raise_first(found)
        present = [each for each in found if each is not None]
        dicts: Sequence[Any]
        if self._is_pair:
            dicts = self._level.run(run, [p[0] for p in present], [p[1] for p in present])
        else:
            dicts = run_distinct(self._level, run, present)
        if len(present) == len(found):
            return dicts
        made = iter(dicts)
        return [None if each is None else next(made) for each in found]


def share_process(children: Iterable[Child]) -> None:
    """Let the children of a level that read the same process read it once."""
    rows = [child for child in children if isinstance(child, RowChild)]
    needs = Needs()
    for child in rows:
        needs.add(child.process_needs())
    for child in rows:
        child.share_process(needs)


class NodeChild(ReadingChild):
    """A row of any type."""

    def __init__(self, declaration: Read, place: int, children: Mapping[str, RowChild]) -> None:
        super().__init__(declaration, place)
        self._children = children

    def prepare(self, shape: RowShape[Any] | None, owner: RowShape[Any] | None) -> None:
        """Learn what the rows of each type look like."""
        for child in self._children.values():
            child.prepare(shape, owner)

    def values(self, run: Run, rows: Rows, _owners: Rows) -> Sequence[Any]:
        """The dict of the row that is found."""
        read = self.read(run)
        return self._children[read.kind].dicts(run, read.row, rows)


def run_distinct(level: Level, run: Run, rows: Rows) -> Sequence[Any]:
    """The dicts of rows of which many may be the same: each is made, and encoded, once."""
    places: dict[int, int] = {}
    for row in rows:
        places.setdefault(id(row), len(places))
    if len(places) == len(rows):
        return level.run(run, rows)
    distinct = list({id(row): row for row in rows}.values())
    encoded = [orjson.dumps(each) for each in level.run(run, distinct)]
    sizes = [len(encoded[places[id(row)]]) for row in rows]
    run.reads.charge(sum(sizes) - sum(map(len, encoded)))
    fragments = [orjson.Fragment(each) for each in encoded]
    return [fragments[places[id(row)]] for row in rows]


def raise_first(found: Sequence[Any]) -> None:
    """Raise the first of these values that is an exception."""
    for each in found:
        if isinstance(each, Exception):
            raise each

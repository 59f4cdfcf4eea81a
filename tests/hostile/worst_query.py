"""The worst query that the limits allow, found by a generator over the schema.

``python -m tests.hostile.worst_query --minutes 10`` makes random queries, keeps the worst, and
changes it again and again. It prints how long it occupies the event loop, the longest time in which
the loop did nothing else, and the size of the answer.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from graphql import (
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    SchemaMetaFieldDef,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    is_required_argument,
)
from starlette.applications import Starlette
from strawberry.types.graphql import OperationType

from lamia_gql.api.services import Services
from lamia_gql.domain.access import ANYONE
from lamia_gql.domain.errors import LamiaError
from lamia_gql.domain.settings import load
from lamia_gql.graph.context import Context
from lamia_gql.graph.schema import Schema, make_schema
from lamia_gql.graph.transport.operation import Operation
from lamia_gql.graph.transport.streams import OperationStreams
from lamia_gql.server.app import create_app
from tests.hostile.large_data import PROCESS, TASK, fill_large

LOOP_S = 1.0
"""How long the worst query may occupy the event loop, on a machine without other work."""
PIECE_S = 0.05
"""How long the loop may do nothing else."""
ANSWER_BYTES = 64 << 20
CALIBRATION_S = 0.05
"""What :func:`calibration` takes on a machine without other work."""
VALUES: dict[str, list[object]] = {
    "name": [TASK, PROCESS],
    "task": [TASK],
    "process": [PROCESS],
    "first": [1, 10, 100],
    "last": [1, 10, 100],
    "points": [2, 60, 500],
    "index": [0, 99_999],
    "states": ["[DONE]", "[FAILED, PENDING]"],
}
"""Sensible arguments, by their names."""


class Burden(NamedTuple):
    """What a query costs the server."""

    loop_s: float
    piece_s: float
    size: int

    @property
    def score(self) -> float:
        """The largest share of what is allowed."""
        return max(self.loop_s / LOOP_S, self.piece_s / PIECE_S, self.size / ANSWER_BYTES)


@dataclass
class Selection:
    """A field of a query, or a fragment on a type."""

    name: str
    owner: GraphQLObjectType
    declared: GraphQLField
    arguments: dict[str, object]
    below: list[Selection] = field(default_factory=list)

    def walk(self) -> Iterator[Selection]:
        """This field, and all below it."""
        yield self
        for selection in self.below:
            yield from selection.walk()


class Generator:
    """Makes and changes random queries."""

    def __init__(self, schema: GraphQLSchema, seed: int) -> None:
        self.schema = schema
        self.random = random.Random(seed)

    def query(self) -> Selection:
        """A random query."""
        query = self.schema.query_type
        assert query is not None
        root = Selection("query", query, GraphQLField(query), {})
        self.grow(root, 6)
        return root

    def grow(self, selection: Selection, depth: int) -> None:
        """Add random fields below a field."""
        possible = list(self.fields(selection))
        if not possible:
            return
        for owner, name, declared in self.random.choices(possible, k=self.random.randint(1, 4)):
            below = Selection(name, owner, declared, self.arguments(declared))
            if is_composite_type(get_named_type(declared.type)):
                if depth == 0:
                    continue
                self.grow(below, depth - 1)
                if not below.below:
                    continue
            selection.below.append(below)

    def fields(self, selection: Selection) -> Iterator[tuple[GraphQLObjectType, str, GraphQLField]]:
        """The fields that may stand below a field."""
        found = get_named_type(selection.declared.type)
        if is_abstract_type(found):
            owners = list(self.schema.get_possible_types(found))
        else:
            owners = [found] if isinstance(found, GraphQLObjectType) else []
        for owner in owners:
            for name, declared in owner.fields.items():
                yield owner, name, declared
            if owner is self.schema.query_type:
                # With introspection, a query is resolved field by field.
                yield owner, "__schema", SchemaMetaFieldDef

    def arguments(self, declared: GraphQLField) -> dict[str, object]:
        """Sensible arguments of a field."""
        found: dict[str, object] = {}
        for name, argument in declared.args.items():
            if name in VALUES and (is_required_argument(argument) or self.random.random() < 0.5):
                found[name] = self.random.choice(VALUES[name])
        return found

    def change(self, query: Selection) -> Selection:
        """The query with a random change."""
        changed = copy.deepcopy(query, {id(self.schema): self.schema, **_kept(query)})
        for _ in range(self.random.choice([1, 1, 2, 4])):
            selection = self.random.choice(list(changed.walk()))
            match self.random.randrange(5):
                case 0:
                    self.grow(selection, 4)
                case 1 if len(selection.below) > 1:
                    selection.below.remove(self.random.choice(selection.below))
                case 2 if selection.below:
                    chosen = self.random.choice(selection.below)
                    number = self.random.choice([1, 2, 5, 20, 90])
                    selection.below += [copy.deepcopy(chosen, _kept(chosen)) for _ in range(number)]
                case 3 if len(selection.below) > 5:
                    del selection.below[len(selection.below) // 2 :]
                case _:
                    selection.arguments = self.arguments(selection.declared)
        return changed


def _kept(selection: Selection) -> dict[int, object]:
    """What a copy of a selection shares with it."""
    kept: dict[int, object] = {}
    for one in selection.walk():
        for shared in (one.owner, one.declared):
            kept[id(shared)] = shared
    return kept


def text(query: Selection) -> str:
    """The query as a document; every repeated field has an alias."""
    return "{" + _below(query) + "}"


def _below(selection: Selection) -> str:
    parts, seen = [], set()
    for number, one in enumerate(selection.below):
        given = ",".join(f"{name}:{_literal(name, value)}" for name, value in one.arguments.items())
        key = one.name
        if one.name in seen or is_abstract_type(get_named_type(selection.declared.type)):
            key = f"a{number}:{one.name}"
        seen.add(one.name)
        part = key + (f"({given})" if given else "") + (f"{{{_below(one)}}}" if one.below else "")
        if is_abstract_type(get_named_type(selection.declared.type)):
            part = f"...on {one.owner.name}{{{part}}}"
        parts.append(part)
    return " ".join(parts)


def _literal(name: str, value: object) -> str:
    return f'"{value}"' if name in ("name", "task", "process") else str(value)


class Laboratory:
    """An application without a server, in which the burden of queries is measured."""

    def __init__(self, services: Services, schema: Schema) -> None:
        self.services = services
        self.schema = schema
        self.streams = OperationStreams(schema)

    def is_allowed(self, document: str) -> bool:
        """Whether the query is executed."""
        try:
            found = self.schema.documents.read(self.schema._schema, document)
            return not found.errors and found.cost(None, {}) <= self.services.settings.max_cost
        except (LamiaError, GraphQLError):
            return False

    async def measure(self, document: str) -> Burden:
        """Execute a query, and watch the event loop meanwhile."""
        longest, ended = 0.0, False

        async def watch() -> None:
            nonlocal longest
            while not ended:
                # CPU time: other processes of the machine do not count.
                begin = time.thread_time()
                await asyncio.sleep(0.001)
                longest = max(longest, time.thread_time() - begin)

        watching = asyncio.create_task(watch())
        await asyncio.sleep(0)
        begin, size = time.thread_time(), 0
        operation = Operation(document, None, None)
        stream = self.streams.results(
            operation, Context(self.services, ANYONE), {OperationType.QUERY}
        )
        async for result in stream:
            size += len(result.encoded)
        loop_s = time.thread_time() - begin
        ended = True
        await watching
        return Burden(loop_s, longest, size)


@asynccontextmanager
async def laboratory(url: str) -> AsyncIterator[Laboratory]:
    """The application on a database with large data."""
    await fill_large(url)
    settings = load(database_url=url)
    application: Starlette = create_app(settings)
    async with application.router.lifespan_context(application) as state:
        assert state is not None
        yield Laboratory(state["services"], make_schema(settings))


def calibration() -> float:
    """Seconds for a piece of work that is always the same; the best of three."""
    best = 1e9
    for _ in range(3):
        begin = time.monotonic()
        sum(number * number for number in range(1_000_000))
        best = min(best, time.monotonic() - begin)
    return best


async def search(seconds: float, seed: int) -> tuple[str, Burden]:
    """The worst allowed query that is found in this time, and its burden."""
    with tempfile.TemporaryDirectory() as folder:
        async with laboratory(f"sqlite:///{folder}/lamia.sqlite") as place:
            generator = Generator(place.schema._schema, seed)
            worst, burden = generator.query(), Burden(0, 0, 0)
            worst_document, tried = "", 0
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                fresh = generator.random.random() < 0.1
                query = generator.query() if fresh else generator.change(worst)
                document = text(query)
                if not place.is_allowed(document):
                    continue
                tried += 1
                found = await place.measure(document)
                if found.score > burden.score:
                    # Other processes disturb, too: the better of two measurements counts.
                    again = await place.measure(document)
                    found = min(found, again, key=lambda burden: burden.score)
                if found.score > burden.score:
                    worst, burden, worst_document = query, found, document
                    sys.stderr.write(f"{tried:6} {describe(burden)}\n")
            return worst_document, burden


def describe(burden: Burden) -> str:
    """The burden, for people."""
    return (
        f"{burden.loop_s:.2f} s of the loop, {burden.piece_s * 1e3:.0f} ms at once,"
        f" {burden.size >> 10} KiB"
    )


def main() -> None:
    """Search, and print the worst."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    slowness = calibration() / CALIBRATION_S
    document, burden = asyncio.run(search(60 * given.minutes, given.seed))
    sys.stdout.write(f"{document}\n{describe(burden)}\n")
    sys.stdout.write(f"This machine is {slowness:.1f} times slower than an idle one.\n")


if __name__ == "__main__":
    main()

"""How fields of the graph are declared.

A field of a type that has a row is a ``column``, or it is ``derived`` from inputs by a function
whose positional parameters name them:

- a column of the row, by its name; a time is a ``datetime``;
- ``owner_`` and a column: of the process of a job;
- an entry of :data:`lamia_gql.graph.inputs.INPUTS`;
- ``reads``: the :class:`lamia_gql.graph.reads.Reads` of the operation.

Keyword-only parameters are arguments of the field, annotated as Strawberry wants it. A field that
leads to other rows is declared by ``single`` or ``page_of``, one that reads values by ``value``:
the function returns the read, for whatever rows there will be.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

import strawberry

from lamia_gql.graph.context import Info
from lamia_gql.graph.inputs import INPUTS
from lamia_gql.graph.selected_fields import asks_for
from lamia_gql.graph.types.declarations import (
    DECLARATION,
    OWNER,
    Column,
    Declaration,
    Derived,
    OverProcesses,
    Owner,
    Read,
)
from lamia_gql.storage.base import Base
from lamia_gql.storage.row_shape import FULL, ComputedShape

F = TypeVar("F", bound=Callable[..., Any])


def field(description: str) -> Any:
    """A field whose value is an attribute of the object."""
    return strawberry.field(description=description)


def resolved(description: str) -> Callable[[F], F]:
    """A field whose resolver is the decorated method."""
    decorator: Callable[[F], F] = strawberry.field(description=description)
    return decorator


def streamed(description: str) -> Callable[[F], F]:
    """A subscription; the decorated method is an asynchronous generator."""
    decorator: Callable[[F], F] = strawberry.subscription(description=description)
    return decorator


def column(name: str, description: str) -> Any:
    """A field whose value is a column of the row."""

    def resolve(self: Any) -> Any:
        return getattr(self.row, name)

    return _declare(Column(name), resolve, description)


def derived(
    description: str,
    function: Callable[..., Any],
    *,
    only_for: Mapping[str, Collection[str]] | None = None,
    parts: Mapping[str, str] | None = None,
    over_processes: Mapping[str, OverProcesses] | None = None,
    in_array: str | None = None,
) -> Any:
    """A field whose value ``function`` derives from inputs, and from arguments of the field.

    ``only_for`` has inputs that are None unless one of some fields of the value is asked for.
    By the names of fields of the value, ``parts`` has the columns that they are equal to, and
    ``over_processes`` what they are of the processes of a task: both executors must find the same.
    ``in_array`` is the column that the value is equal to for a job of an array.
    """
    inputs, arguments = _parameters(function)
    only_for = only_for or {}
    declaration = Derived(
        function, inputs, arguments, only_for, parts or {}, over_processes or {}, in_array
    )

    def get(self: Any, info: Info, name: str) -> Any:
        if name == "reads":
            return info.context.load.reads
        if name.startswith(OWNER):
            return getattr(self.owner_row, name.removeprefix(OWNER))
        if name in INPUTS:
            return INPUTS[name].read(info.context.load.reads, [self.row])[0]
        return getattr(self.row, name)

    def resolve(self: Any, info: Info, **given: Any) -> Any:
        return function(*(get(self, info, name) for name in inputs), **given)

    async def resolve_after_reads(self: Any, info: Info, **given: Any) -> Any:
        values: list[Any] = []
        for name in inputs:
            if name in only_for and not asks_for(info, only_for[name]):
                values.append(None)
            elif name in INPUTS and INPUTS[name].is_read:
                values.append(await info.context.load.input(name, self.row))
            else:
                values.append(get(self, info, name))
        return function(*values, **given)

    def resolve_if_read(self: Any, info: Info, **given: Any) -> Any:
        if any(asks_for(info, fields) for fields in only_for.values()):
            return resolve_after_reads(self, info, **given)
        return function(
            *(None if name in only_for else get(self, info, name) for name in inputs), **given
        )

    read = {name for name in inputs if name in INPUTS and INPUTS[name].is_read}
    resolver: Callable[..., Any] = resolve
    if read:
        resolver = resolve_if_read if read <= only_for.keys() else resolve_after_reads
    return _declare(declaration, _with_arguments(resolver, function, arguments), description)


def owner(description: str, make: Callable[[Any], Any]) -> Any:
    """The field of a job that is its process; ``make`` turns its row into an object."""

    def resolve(self: Any) -> Any:
        return make(self.owner_row)

    return _declare(Owner(), resolve, description)


def value(
    description: str,
    function: Callable[..., Any],
    *,
    needs: Sequence[str] = (),
    process_needs: Sequence[str] = (),
) -> Any:
    """A field whose plain value is read; ``function`` returns a ``ValueRead``."""
    declaration = read_declaration(
        function, needs=frozenset(needs), process_needs=frozenset(process_needs)
    )

    async def resolve(self: Any, info: Info, **given: Any) -> Any:
        load = info.context.load
        return await load.load(declaration.call(load.reads, given), row_of(self))

    return declare_read(declaration, resolve, description)


def computed(
    description: str,
    function: Callable[..., Any],
    shape: ComputedShape[Any],
    make: Callable[[Any], Any],
    *,
    needs: Sequence[str] = (),
) -> Any:
    """A field that is a computed row, or a list of them; ``function`` returns a ``ValueRead``.

    ``make`` turns a row into an object of the schema.
    """
    declaration = read_declaration(function, needs=frozenset(needs), computed=shape)

    async def resolve(self: Any, info: Info, **given: Any) -> Any:
        load = info.context.load
        found = await load.load(declaration.call(load.reads, given), row_of(self))
        return [make(row) for row in found] if isinstance(found, list) else make(found)

    return declare_read(declaration, resolve, description)


def single(
    description: str,
    function: Callable[..., Any],
    entity: type[Base],
    make: Callable[[Any], Any],
    *,
    needs: Sequence[str] = (),
    owner_needs: Sequence[str] = (),
    is_by_key: bool = False,
) -> Any:
    """A field that is another row, or None; ``function`` returns a ``RowRead`` or a ``KeyRead``.

    ``make`` turns what is read, a row or a pair of rows, into an object of the schema.
    """
    declaration = read_declaration(
        function,
        entity=entity,
        needs=frozenset(needs),
        owner_needs=frozenset(owner_needs),
        is_by_key=is_by_key,
    )

    async def resolve(self: Any, info: Info, **given: Any) -> Any:
        load = info.context.load
        read = declaration.call(load.reads, given)
        found = await load.load(read, row_of(self), FULL[entity])
        return None if found is None else make(found)

    return declare_read(declaration, resolve, description)


def any_row(
    description: str,
    function: Callable[..., Any],
    entities: Mapping[str, tuple[type[Base], Callable[[Any], Any]]],
    *,
    owner_needs: Sequence[str] = (),
) -> Any:
    """A field that is a row of any type, or None; ``function`` returns a ``NodeRead``.

    ``entities`` has the table of each type, and what turns what is read into an object.
    """
    tables = {kind: entity for kind, (entity, _) in entities.items()}
    declaration = read_declaration(function, tables=tables, owner_needs=frozenset(owner_needs))

    async def resolve(self: Any, info: Info, **given: Any) -> Any:
        load = info.context.load
        read = declaration.call(load.reads, given)
        entity, make = entities[read.kind]
        found = await load.load(read.row, row_of(self), FULL[entity])
        return None if found is None else make(found)

    return declare_read(declaration, resolve, description)


def read_declaration(
    function: Callable[..., Any], entity: type[Base] | None = None, **options: Any
) -> Read:
    """The declaration of a field that reads; ``options`` are its further attributes."""
    inputs, arguments = _parameters(function)
    return Read(function, bool(inputs), arguments, entity, **options)


def declare_read(declaration: Read, resolver: Callable[..., Any], description: str) -> Any:
    """The field of a declaration; the resolver gets its arguments."""
    arguments = declaration.arguments
    return _declare(
        declaration, _with_arguments(resolver, declaration.function, arguments), description
    )


def row_of(found: Any) -> Any:
    """The row of an object of the schema; the roots have none."""
    return None if found is None else getattr(found, "row", None)


def _parameters(
    function: Callable[..., Any],
) -> tuple[tuple[str, ...], tuple[inspect.Parameter, ...]]:
    parameters = inspect.signature(function).parameters.values()
    arguments = tuple(p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY)
    return tuple(p.name for p in parameters if p not in arguments), arguments


def _with_arguments(
    resolver: Callable[..., Any],
    function: Callable[..., Any],
    arguments: Sequence[inspect.Parameter],
) -> Callable[..., Any]:
    """The resolver with the arguments of a function, as Strawberry finds them."""
    keyword = inspect.Parameter.POSITIONAL_OR_KEYWORD
    resolver.__signature__ = inspect.Signature(  # type: ignore[attr-defined] # read by inspect
        [
            inspect.Parameter("self", keyword),
            inspect.Parameter("info", keyword, annotation=Info),
            *(argument.replace(kind=keyword) for argument in arguments),
        ]
    )
    resolver.__annotations__ = {"info": Info, **{a.name: a.annotation for a in arguments}}
    resolver.__module__ = function.__module__
    return resolver


def _declare(declaration: Declaration, resolver: Callable[..., Any], description: str) -> Any:
    return strawberry.field(
        resolver=resolver, description=description, metadata={DECLARATION: declaration}
    )

"""Random queries of the schema: deep, with fragments, directives, variables, and wrong values."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
)

from lamia_gql.domain.pagination import encode_opaque

MAX_DEPTH = 6


UNPLANNED = {"accessTokens"}
"""Fields that no front-end asks for often, and that have no plan."""


class Query(NamedTuple):
    """A document, and the values of its variables."""

    document: str
    variables: dict[str, Any]


class Known(NamedTuple):
    """What the data has, so that queries find something."""

    tasks: Sequence[str]
    processes: Sequence[str]
    ids: Sequence[str]


class Body(NamedTuple):
    """What is asked of an object, in any operation."""

    head: str
    """The declarations of the variables, in brackets; empty if there are none."""
    selections: str
    fragments: str
    variables: dict[str, Any]


class QueryGenerator:
    """Makes one query.

    Args:
        schema: the schema.
        chance: the source of all choices.
        known: names and ids that exist.
    """

    def __init__(self, schema: GraphQLSchema, chance: random.Random, known: Known) -> None:
        self._schema = schema
        self._chance = chance
        self._known = known
        self._fragments: list[str] = []
        self._variables: dict[str, tuple[str, Any]] = {}
        self._aliases = 0

    def query(self) -> Query:
        """A query of the root type."""
        assert self._schema.query_type is not None
        body = self._body(self._schema.query_type)
        return Query(f"query{body.head} {body.selections}{body.fragments}", body.variables)

    def part(self, type_name: str) -> Body:
        """What is asked of an object of a type."""
        return self._body(self._schema.type_map[type_name])

    def _body(self, type_: Any) -> Body:
        selections = self._selections(type_, 0)
        declared = ", ".join(f"${name}: {kind}" for name, (kind, _) in self._variables.items())
        fragments = "".join(f"\n{fragment}" for fragment in self._fragments)
        variables = {name: value for name, (_, value) in self._variables.items()}
        return Body(f"({declared})" if declared else "", selections, fragments, variables)

    def _selections(self, type_: Any, depth: int) -> str:
        chance = self._chance
        fields = {name: field for name, field in type_.fields.items() if name not in UNPLANNED}
        leaves = [
            name for name, field in fields.items() if is_leaf_type(get_named_type(field.type))
        ]
        others = [name for name in fields if name not in leaves]
        chosen = chance.sample(leaves, min(len(leaves), chance.randint(0, 5)))
        if depth < MAX_DEPTH:
            few = 2 if depth < 3 else 1
            chosen += chance.sample(others, min(len(others), chance.randint(0, few)))
        chance.shuffle(chosen)
        parts = [self._field(name, fields[name], depth) for name in chosen]
        if chance.random() < 0.3 or not parts:
            parts.insert(chance.randrange(len(parts) + 1), "__typename")
        if isinstance(type_, GraphQLInterfaceType):
            for concrete in self._schema.get_possible_types(type_):
                if chance.random() < 0.6:
                    body = self._selections(concrete, depth)
                    parts.append(f"... on {concrete.name}{self._directive()} {body}")
        elif chance.random() < 0.15:
            parts.append(self._spread(type_, depth))
        return "{ " + " ".join(parts) + " }"

    def _spread(self, type_: GraphQLObjectType, depth: int) -> str:
        name = f"F{len(self._fragments)}"
        self._fragments.append("")
        on = self._chance.choice([type_.name, *(i.name for i in type_.interfaces)])
        body = self._selections(self._schema.type_map[on], depth + 1)
        self._fragments[int(name[1:])] = f"fragment {name} on {on} {body}"
        return f"...{name}{self._directive()}"

    def _field(self, name: str, field: GraphQLField, depth: int) -> str:
        # Two fields of one key must be equal, so most have an alias of their own.
        self._aliases += 1
        named = get_named_type(field.type)
        alias = f"a{self._aliases}: "
        if is_leaf_type(named) and not field.args and self._chance.random() < 0.4:
            alias = ""
        given = self._arguments(name, field)
        below = "" if is_leaf_type(named) else " " + self._selections(named, depth + 1)
        return f"{alias}{name}{given}{self._directive()}{below}"

    def _directive(self) -> str:
        chance = self._chance
        if chance.random() > 0.08:
            return ""
        name, value = chance.choice(["include", "skip"]), chance.random() < 0.5
        if chance.random() < 0.5:
            return f" @{name}(if: {str(value).lower()})"
        return f" @{name}(if: ${self._variable('Boolean!', value)})"

    def _variable(self, kind: str, value: Any) -> str:
        name = f"v{len(self._variables)}"
        self._variables[name] = kind, value
        return name

    def _arguments(self, field_name: str, field: GraphQLField) -> str:
        chance, given = self._chance, []
        paged = {"first", "last"} & field.args.keys()
        size = chance.choice(sorted(paged)) if paged else None
        for name, argument in field.args.items():
            if name in ("first", "last"):
                if name != size or (field_name == "processes" and chance.random() < 0.5):
                    continue
            elif name in ("after", "before"):
                backward = size == "last"
                if (name == "before") != backward or chance.random() < 0.8:
                    continue
            elif not isinstance(argument.type, GraphQLNonNull) and chance.random() < 0.5:
                continue
            value = self._value(name, argument.type)
            if chance.random() < 0.3:
                given.append(f"{name}: ${self._variable(str(argument.type), value)}")
            else:
                given.append(f"{name}: {_literal(value, argument.type)}")
        return f"({', '.join(given)})" if given else ""

    def _value(self, name: str, type_: Any) -> Any:
        if isinstance(type_, GraphQLNonNull):
            return self._value_of(name, type_.of_type)
        if self._chance.random() < 0.03:
            return None
        return self._value_of(name, type_)

    def _value_of(self, name: str, type_: Any) -> Any:
        chance = self._chance
        if isinstance(type_, GraphQLList):
            return [self._value(name, type_.of_type) for _ in range(chance.randint(0, 2))]
        if isinstance(type_, GraphQLEnumType):
            return chance.choice(list(type_.values))
        if isinstance(type_, GraphQLInputObjectType):
            fields = type_.fields
            chosen = chance.sample(list(fields), chance.randint(0, min(2, len(fields))))
            return {each: self._value(each, fields[each].type) for each in chosen}
        if type_.name == "DateTime":
            return chance.choice(["2020-01-01T00:00:00+00:00", "2099-01-01T00:00:00Z"])
        match name:
            case "first" | "last":
                return chance.choice([0, 1, 2, 3, 7, 100, 100, -1, 101])
            case "points":
                return chance.choice([2, 3, 5, 1])
            case "index":
                return chance.choice([0, 1, 2, 7, 8, 2**31 - 1, -1])
            case "after" | "before":
                return chance.choice(
                    [
                        encode_opaque("p", 0),
                        encode_opaque("j", 2),
                        encode_opaque("e", 1, 3),
                        "garbage",
                    ]
                )
            case "id":
                return chance.choice([*self._known.ids, *self._known.ids, "garbage"])
            case "task":
                return chance.choice([*self._known.tasks, "missing"])
            case "name":
                return chance.choice([*self._known.tasks, *self._known.processes, "missing"])
            case "process":
                return chance.choice([*self._known.processes, "missing"])
        if type_.name == "Boolean":
            return chance.random() < 0.5
        if type_.name in ("Int", "Float"):
            return chance.randint(0, 5)
        return chance.choice([*self._known.tasks, *self._known.processes, "*", "p?", "", "x"])


def _literal(value: Any, type_: Any) -> str:
    if isinstance(type_, GraphQLNonNull):
        return _literal(value, type_.of_type)
    if value is None:
        return "null"
    if isinstance(value, list):
        return "[" + ", ".join(_literal(each, type_.of_type) for each in value) + "]"
    if isinstance(value, dict):
        shown = (f"{key}: {_literal(each, type_.fields[key].type)}" for key, each in value.items())
        return "{" + ", ".join(shown) + "}"
    if isinstance(type_, GraphQLEnumType):
        return str(value)
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)

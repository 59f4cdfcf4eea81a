"""The most expensive documents within the default limits, and documents above them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphql import GraphQLSchema

from lamia_gql.domain.settings import Settings
from lamia_gql.graph.limits.documents import Document, Documents

FRAGMENTS = 48


def read(schema: GraphQLSchema, text: str, **changed: Any) -> Document:
    """The document, parsed with the default settings but these."""
    return Documents(Settings.model_construct(**changed)).read(schema, text)


def _many(form: str, times: int) -> str:
    return " ".join(form.replace("#", str(number)) for number in range(times))


def _chain(body: str, on: str, times: int, last: str) -> str:
    """Fragments F0, F1 …, each with the next one's number for ``+``."""
    made = [
        f"fragment F{number} on {on} {{ "
        + body.replace("#", str(number)).replace("+", str(number + 1))
        + " }"
        for number in range(times)
    ]
    return " ".join([*made, f"fragment F{times} on {on} {{ {last} }}"])


def _process(inner: str) -> str:
    return '{ process(task: "t", name: "p") { ' + inner + " } }"


def _pairs(fields: Iterable[str]) -> str:
    return " ".join(f"... on JobArray {{ {f} }} ... on SolitaryProcess {{ {f} }}" for f in fields)


WITHIN_LIMITS: dict[str, str] = {
    "a hundred aliases": _process(_many("a#: name", 100)),
    "a hundred fields twice": "{ server { " + "version " * 101 + "} }",
    "fields twice, and literals": "{ server { "
    + "version " * 101
    + "} tasks(first: 1, filter: { names: ["
    + '"a" ' * 850
    + "] }) { totalCount } }",
    "subtrees twice": "{ "
    + 'task(name: "t") { process(name: "p") { name id state counts { total } } } ' * 14
    + "}",
    "type conditions": _process("... on JobArray { firstIndex } " * 100),
    "type conditions and aliases": _process(_pairs(f"a{n}: name" for n in range(50))),
    "conditions in conditions": _process(
        "... on JobArray { ... on Process { ... on Node { __typename } } } " * 60
    ),
    "conflicts of arguments": "{ " + _many('task(name: "#") { id }', 50) + " }",
    "conflicts of fields": _process(
        " ".join(f"a: {name}" for name in ("id", "name", "kind", "state", "enough") * 18)
    ),
    "fragments in a chain, and all spread": "{ server { "
    + _many("...F#", FRAGMENTS)
    + " } } "
    + _chain("a#: version ...F+", "Server", FRAGMENTS, "version"),
    "fragments that spread many": "{ server { ...F0 ...F1 } } "
    + " ".join(
        f"fragment F{n} on Server {{ a{n}: version "
        + " ".join(f"...F{n + step}" for step in (1, 2, 3, 5) if n + step <= FRAGMENTS)
        + " }"
        for n in range(FRAGMENTS + 1)
    ),
    "fragments with levels": '{ task(name: "t") { ...F0 } } '
    + _chain('a#: process(name: "p") { name } ...F+', "Task", FRAGMENTS, "name"),
    "empty fragments below fields": '{ task(name: "t") { '
    + ('process(name: "p") { ' + _many("...E#", 10) + " } ") * 10
    + "} } "
    + _many("fragment E# on Process { }", 10),
    "arguments of many values, compared": "{ "
    + ('tasks(first: 1, filter: { names: ["a" "b" "c"] }) { totalCount } ' * 40)
    + "}",
    "operations of one fragment": _many("query Q#($b: Int) { ...F }", 49)
    + " fragment F on Query { "
    + _many("a#: tasks(first: $b) { totalCount }", 30)
    + " }",
    "operations of many fragments": _many("query Q#($b: Int) { ...F0 }", 24)
    + _chain(
        "a#: tasks(first: $b, last: $c) { totalCount } ...F+", "Query", 24, "server { version }"
    ),
    "unused variables": "query(" + _many("$a#: Int", 240) + ") { server { version } }",
    "variables": "query("
    + _many("$a#: String!", 135)
    + ") { tasks(first: 1, filter: { names: ["
    + _many("$a#", 135)
    + "] }) { totalCount } }",
    "directives": "{ server { " + _many("a#: version @skip(if: false)", 50) + " } }",
    "unknown fields": _process(_many("estimatedFinishA#", 950)),
    "unknown fields with long names": _process(_many("estimatedFinishAt" * 3 + "#", 340)),
    "unknown fields with a very long name": _process("a" * 19_000),
    "unknown types": "query(" + _many("$a#: CreatTaskInput#", 240) + ") { server { version } }",
    "unknown arguments": "{ tasks(" + _many("filtre#: 1", 300) + ") { totalCount } }",
    "unknown enum values": "{ tasks(first: 1, filter: { states: ["
    + "RUNING " * 940
    + "] }) { totalCount } }",
    "unknown input fields": "{ tasks(first: 1, filter: { "
    + _many("usernams#: []", 200)
    + " }) { totalCount } }",
    "literals": "{ tasks(first: 1, filter: { names: [" + '"a" ' * 950 + "] }) { totalCount } }",
    "literal objects": "mutation { submitEvents(input: { events: ["
    + '{ task: "t" process: "p" eventClass: DONE } ' * 85
    + "] }) { userErrors { code } } }",
    "a long string": '{ task(name: "' + "a" * 19_000 + '") { id } }',
    "a string of escapes": '{ task(name: "' + "\\u0041" * 3_100 + '") { id } }',
    "a block string": '{ task(name: """' + "a\n" * 9_500 + '""") { id } }',
    "a long number": "{ task(name: " + "1" * 19_000 + ") { id } }",
    "a long comment": "{ server { version } } #" + "a" * 19_000,
    "many comments": "{ server { version } }" + "#\n" * 900,
    "commas": "{ server { version" + "," * 19_000 + " } }",
    "as deep as can be": '{ task(name: "t") { '
    + 'process(name: "p") { task { ' * 9
    + "name"
    + " } }" * 9
    + " } }",
}
"""Documents that are measured and validated to the end, by what is bad about them."""

BOMB = "{ ...F0 } " + _chain("...F+ ...F+", "Query", 60, "server { version }")
"""Sixty fragments, each spreading the next one twice."""
WIDE_BOMB = '{ task(name: "t") { ...F0 } } ' + _chain(
    'a: process(name: "p") { task { ...F+ } } b: process(name: "p") { task { ...F+ } }',
    "Task",
    60,
    "id",
)
"""The same with fields in between, so that they unfold to 2^60 fields."""

BEYOND_LIMITS: dict[str, tuple[str, str]] = {
    "characters": ("DOCUMENT_TOO_LONG", "{ server { version } }" + " " * 20_000),
    "brackets": ("DOCUMENT_TOO_LONG", "{" * 100_000),
    "tokens": ("TOO_MANY_TOKENS", "{ server { " + "version " * 1_000 + "} }"),
    "comments": ("TOO_MANY_TOKENS", "{ server { version } }" + "#\n" * 1_000),
    "tokens before errors": ("TOO_MANY_TOKENS", "{ a " * 10 + "b " * 1_000 + ")"),
    "bomb": ("TOO_MANY_DEFINITIONS", BOMB),
    "small bomb": (
        "TOO_MANY_DUPLICATES",
        "{ ...F0 ...F1 } "
        + _chain(
            'server { version } task(name: "t") { process(name: "p") { task { id } } } ...F+',
            "Query",
            30,
            "server { version }",
        ),
    ),
    "wide bomb": ("TOO_MANY_TOKENS", WIDE_BOMB),
    "costly bomb": (
        "TOO_COSTLY",
        '{ task(name: "t") { ...F0 } } '
        + _chain(
            "a: events(first: 100) { nodes { process { task { ...F+ } } } }"
            " b: events(first: 100) { nodes { process { task { ...F+ } } } }",
            "Task",
            4,
            "id",
        ),
    ),
    "fields": (
        "TOO_DEEP",
        '{ task(name: "t") { ' + 'process(name: "p") { task { ' * 10 + "id" + " } }" * 11,
    ),
    "fields by fragments": (
        "TOO_DEEP",
        '{ task(name: "t") { ...F0 } } '
        + _chain('process(name: "p") { task { ...F+ } }', "Task", 10, "id"),
    ),
    "inline fragments": ("TOO_DEEP", "{ " + "... { " * 41 + "__typename" + " }" * 42),
    "lists": ("TOO_DEEP", "{ tasks(first: " + "[" * 30 + "]" * 30 + ") { totalCount } }"),
    "lists beyond the stack": (
        "TOO_DEEP",
        "{ tasks(first: " + "[" * 450 + "]" * 450 + ") { id } }",
    ),
    "objects": ("TOO_DEEP", "{ tasks(filter: " + "{ a: " * 30 + "1" + " }" * 30 + ") { id } }"),
    "defaults": ("TOO_DEEP", "query($a: JSON = " + "[" * 30 + "]" * 30 + ") { tasks { id } }"),
    "directive arguments": ("TOO_DEEP", "{ server @skip(if: " + "[" * 30 + "]" * 30 + ") { a } }"),
    "selections beyond the stack": ("TOO_DEEP", "{a" * 450 + "}" * 450),
    "aliases": ("TOO_MANY_ALIASES", "{ server { " + _many("a#: version", 101) + " } }"),
    "duplicates": ("TOO_MANY_DUPLICATES", "{ server { " + "version " * 102 + "} }"),
    "duplicates by fragments": (
        "TOO_MANY_DUPLICATES",
        "{ server { ...A ...B } } fragment A on Server { "
        + "version " * 51
        + "} fragment B on Server { "
        + "version " * 51
        + "}",
    ),
    "duplicates of empty fragments": (
        "TOO_MANY_DUPLICATES",
        '{ task(name: "t") { '
        + ('process(name: "p") { ' + _many("...E#", 25) + " } ") * 14
        + "} } "
        + _many("fragment E# on Process { }", 25),
    ),
    "duplicates below": (
        "TOO_MANY_DUPLICATES",
        "{ " + 'task(name: "t") { id name state process(name: "p") { id } } ' * 18 + "}",
    ),
    "directives": ("TOO_MANY_DIRECTIVES", "{ server { version " + "@a " * 51 + "} }"),
    "definitions": ("TOO_MANY_DEFINITIONS", _many("query Q# { server { version } }", 51)),
    "cost": (
        "TOO_COSTLY",
        "{ tasks(first: 100) { nodes { events(first: 100) { nodes { "
        + "job { events(first: 100) { nodes { id } } } } } } } }",
    ),
}
"""The code with which a document is refused, by what it has too much of."""

"""The cost of operations, computed before execution."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLSchema
from hypothesis import given
from hypothesis import strategies as st

from lamia_gql.domain.errors import LimitExceeded
from tests.support.documents import read
from tests.support.harness import Server


def cost(schema: GraphQLSchema, text: str, **given: Any) -> int:
    """What a valid document's first operation costs."""
    document = read(schema, text)
    assert document.errors == []
    return document.cost(None, given)


PAYLOAD = """mutation { submitEvent(input: { task: "t", process: "p", eventClass: DONE,
  payload: [[1, 2], { a: [3] }] }) { duplicate } }"""
DIAMOND = """fragment A on Query { ...C } fragment B on Query { ...C ...D }
  fragment C on Query { server { ...E } } fragment D on Query { ...C }
  fragment E on Server { version time }"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ server { version } }", 2),
        ("{ server { version time } }", 3),
        ("{ a: server { version } b: server { version } }", 4),
        ("{ tasks(first: 7) { totalCount } }", 10 + 10),
        ("{ tasks(first: 7) { nodes { name state } } }", 10 + 1 + 7 * 2),
        ("{ tasks(last: 7) { nodes { name } nodes { state } } }", 10 + 2 * (1 + 7)),
        ("{ tasks(first: 7) { edges { cursor node { name } } } }", 10 + 1 + 7 * 3),
        ("{ tasks(first: 0) { nodes { name } } }", 11),
        ("{ tasks(first: -5) { nodes { name } } }", 11),
        ("{ tasks(first: 3, last: 5) { nodes { name } } }", 10 + 1 + 5),
        ("{ tasks { nodes { name } } }", 10 + 1 + 10),
        ("{ tasks(first: null) { nodes { name } } }", 10 + 1 + 10),
        ("{ tasks(first: 3) { nodes { tags } } }", 10 + 1 + 3 * (10 + 10)),
        ("{ tasks(first: 3) { nodes { processes { nodes { name } } } } }", 11 + 3 * (11 + 10)),
        ('{ task(name: "t") { timeline { at } } }', 10 + 10 + 60),
        ('{ task(name: "t") { timeline(points: 5) { at ratio } } }', 10 + 10 + 5 * 2),
        (
            '{ tasks(first: 2, filter: { names: ["a", "b", "c"] }) { totalCount } }',
            10 + 10 + 3 + 1_000,
        ),
        ("{ tasks(first: 4) { ...C } } fragment C on TaskConnection { nodes { name } }", 15),
        ("{ ...A ...B } " + DIAMOND, 3),
        ("{ tasks(first: 4) { ... { ... { nodes { name } } } } }", 15),
        ("{ tasks(first: 4) @skip(if: true) { nodes { name } } }", 15),
        ('mutation { deleteTask(input: { name: "t" }) { deletedId } }', 2),
        ('mutation { deleteTasks(input: { names: ["a", "b"] }) { deletedIds } }', 102 + 2),
        (PAYLOAD, 2),
        (
            'mutation { createTask(input: { name: "t", tags: ["a"], processes: [{ name: "p" }] })'
            " { task { name } userErrors { code } } }",
            (1 + 2 * 50) + 2 + (1 + 2),
        ),
    ],
)
def test_cost(schema: GraphQLSchema, text: str, expected: int) -> None:
    """The cost is computed as docs/limits.md says."""
    assert cost(schema, text) == expected


TASKS = "query($n: Int = 7) { tasks(first: $n) { nodes { name } } }"
EVENTS = """mutation($e: [SubmitEventInput!]!) {
  submitEvents(input: { events: $e }) { results { enough duplicate } } }"""
CREATE = "mutation($i: CreateTasksInput!) { createTasks(input: $i) { tasks { name } } }"


@pytest.mark.parametrize(
    ("text", "given", "expected"),
    [
        (TASKS, {}, 11 + 7),
        (TASKS, {"n": 5}, 11 + 5),
        (TASKS, {"n": 5.0}, 11 + 5),
        (TASKS, {"n": None}, 11 + 10),
        (TASKS, {"n": "x"}, 11 + 10),
        (TASKS, {"n": 1e300}, 11 + 10),
        (TASKS, {"n": 10**30}, 11 + 2**31 - 1),
        (EVENTS, {"e": [{}] * 40}, 1 + 50 * 40 + 1 + 2 * 40),
        (EVENTS, {"e": {}}, 1 + 1 + 2),
        (EVENTS, {}, 1 + 1 + 2),
        (
            CREATE,
            {"i": {"tasks": [{"processes": [{}] * 3, "tags": ["a"], "config": [[1] * 99]}] * 2}},
            1 + 50 * (2 + 6 + 2) + 1 + 10,
        ),
    ],
)
def test_cost_with_variables(
    schema: GraphQLSchema, text: str, given: dict[str, Any], expected: int
) -> None:
    """The cost follows the variables' values or defaults; wrong values do no harm."""
    assert cost(schema, text, **given) == expected


def test_cost_of_the_named_operation(sqlite_server: Server) -> None:
    """Of several operations, the named one counts."""
    text = "query A { server { version } } query B { tasks(first: 9) { nodes { id } } }"
    for name, expected in (("A", 2), ("B", 20), (None, 2)):
        body = sqlite_server.post("/graphql", json={"query": text, "operationName": name}).json()
        assert body["extensions"]["cost"] == {"requested": expected, "limit": 125_000}


def test_refused_by_variables(sqlite_server: Server) -> None:
    """A cost that depends on variables is refused before these are validated."""
    answer = sqlite_server.request(EVENTS, {"e": [{}] * 30_000})
    assert answer.status_code == 400
    body = answer.json()
    assert body["errors"][0]["extensions"] == {"code": "TOO_COSTLY", "limit": 125_000}
    assert body["extensions"]["cost"]["requested"] == 1 + 30_000 * 50 + 1 + 30_000 * 2


TREES: st.SearchStrategy[Any] = st.recursive(
    st.just({}),
    lambda inner: st.dictionaries(
        st.sampled_from(["a", "b", "c", "d"]), st.tuples(st.booleans(), inner), max_size=3
    ),
    max_leaves=25,
)


@given(TREES)
def test_fragments_change_nothing(schema: GraphQLSchema, tree: dict[str, tuple[bool, Any]]) -> None:
    """A document has the same cost and depth with fragments as without."""
    fragments: list[str] = []

    def write(node: dict[str, tuple[bool, Any]], *, apart: bool) -> str:
        parts = ["id"]
        for key, (is_apart, inner) in node.items():
            below = write(inner, apart=apart)
            field = f"{key}: events(first: 2) {{ nodes {{ process {{ task {{ {below} }} }} }} }}"
            if apart and is_apart:
                fragments.append(f"fragment F{len(fragments)} on Task {{ {field} }}")
                field = f"...F{len(fragments) - 1}"
            parts.append(field)
        return " ".join(parts)

    free = {"max_definitions": 500, "max_depth": 50, "max_document_tokens": 20_000}

    def outcome(text: str) -> int | str:
        try:
            return read(schema, text, **free, max_duplicates=0).cost(None, {})
        except LimitExceeded as error:
            return error.code

    plain = f'{{ task(name: "t") {{ {write(tree, apart=False)} }} }}'
    parted = f'{{ task(name: "t") {{ {write(tree, apart=True)} }} }} ' + " ".join(fragments)
    assert outcome(plain) == outcome(parted)

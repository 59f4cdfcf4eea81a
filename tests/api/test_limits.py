"""Limits on documents and on the cost of operations, applied before execution."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLError, GraphQLSchema, get_introspection_query
from hypothesis import given, settings
from hypothesis import strategies as st

from lamia_gql.domain.errors import LimitExceeded
from lamia_gql.domain.settings import Settings
from lamia_gql.graph.limits.documents import CACHED_BYTES, Document, Documents
from lamia_gql.graph.schema import make_schema
from tests.support.documents import BEYOND_LIMITS, BOMB, WIDE_BOMB, WITHIN_LIMITS
from tests.support.harness import Server, StartServer

ROOT = Path(__file__).parents[2]
INTROSPECTION = get_introspection_query(
    specified_by_url=True,
    directive_is_repeatable=True,
    schema_description=True,
    input_value_deprecation=True,
)
LIMITS = {
    "max_document_characters": "DOCUMENT_TOO_LONG",
    "max_document_tokens": "TOO_MANY_TOKENS",
    "max_definitions": "TOO_MANY_DEFINITIONS",
    "max_depth": "TOO_DEEP",
    "max_aliases": "TOO_MANY_ALIASES",
    "max_duplicates": "TOO_MANY_DUPLICATES",
    "max_directives": "TOO_MANY_DIRECTIVES",
    "max_cost": "TOO_COSTLY",
    "max_response_bytes": "RESPONSE_TOO_LARGE",
    "max_operation_time": "TIMED_OUT",
}


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    """The schema, as graphql-core has it."""
    return make_schema()._schema


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with default settings, shared by all tests here."""
    folder = tmp_path_factory.mktemp("limits")
    with Server(f"sqlite:///{folder}/lamia.sqlite", folder) as server:
        yield server


def read(schema: GraphQLSchema, text: str, **changed: Any) -> Document:
    """The document, parsed with the default settings but these."""
    return Documents(Settings.model_construct(**changed)).read(schema, text)


def cost(schema: GraphQLSchema, text: str, **given: Any) -> int:
    """What a valid document's first operation costs."""
    document = read(schema, text)
    assert document.errors == []
    return document.cost(None, given)


def seconds(schema: GraphQLSchema, text: str) -> float:
    """CPU seconds from the text to the decision; the best of three."""
    best = 1e9
    for _ in range(3):
        begin = time.process_time()
        try:
            document = read(schema, text)
            document.cost(None, {})
            assert document.errors is not None
        except (LimitExceeded, GraphQLError):
            pass
        best = min(best, time.process_time() - begin)
    return best


@pytest.mark.parametrize("name", WITHIN_LIMITS)
def test_worst_documents(schema: GraphQLSchema, name: str) -> None:
    """The worst documents within the limits take a fraction of a second: 30 ms, when measured."""
    assert read(schema, WITHIN_LIMITS[name]).cost(None, {}) <= 125_000
    assert seconds(schema, WITHIN_LIMITS[name]) < 0.4


@pytest.mark.parametrize("text", [BOMB, WIDE_BOMB])
def test_bombs(schema: GraphQLSchema, text: str) -> None:
    """Sixty levels of fragments are refused quickly: in 4 ms, when measured."""
    with pytest.raises(LimitExceeded):
        read(schema, text)
    assert seconds(schema, text) < 0.1


def test_bombs_are_measured(schema: GraphQLSchema) -> None:
    """Measuring them is quick, too, where no earlier limit stops it."""
    free = {"max_definitions": 500, "max_document_tokens": 20_000, "max_aliases": 500}
    begin = time.process_time()
    assert read(schema, BOMB, **free).cost(None, {}) == 2
    with pytest.raises(LimitExceeded, match="nested deeper than 50"):
        read(schema, WIDE_BOMB, **free, max_depth=50)
    assert read(schema, WIDE_BOMB, **free, max_depth=200).cost(None, {}) == 2**53 - 1
    assert time.process_time() - begin < 1


@pytest.mark.parametrize("name", BEYOND_LIMITS)
def test_refused(shared_server: Server, name: str) -> None:
    """A document above a limit is answered 400 with the limit's code."""
    code, text = BEYOND_LIMITS[name]
    for accept in ("application/json", "application/graphql-response+json"):
        answer = shared_server.request(text, headers={"accept": accept})
        assert answer.status_code == 400
        body = answer.json()
        assert "data" not in body
        (error,) = body["errors"]
        assert error["extensions"]["code"] == code
        setting = next(name for name, of in LIMITS.items() if of == code)
        assert error["extensions"]["limit"] == Settings.model_fields[setting].default


@pytest.mark.parametrize(
    "text",
    [
        "{ ...A } fragment A on Query { ...A }",
        "{ ...A } fragment A on Query { server { version } ...B } fragment B on Query { ...A }",
        '{ server { version } } fragment A on Task { process(name: "p") { task { ...A } } }',
    ],
)
def test_cyclic_fragments(shared_server: Server, text: str) -> None:
    """Cyclic fragments are refused, used or not."""
    error = shared_server.graphql_error(text)
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert error["message"] == "Cannot spread fragment “A” within itself."


@pytest.mark.parametrize(
    "text",
    ["{ ...A }", "{ ...A } fragment B on Query { ...A }", "{ ...A } fragment A on No { ...B }"],
)
def test_unknown_fragments(shared_server: Server, text: str) -> None:
    """Spreads of unknown fragments are left to validation."""
    answer = shared_server.request(text).json()
    assert {e["extensions"]["code"] for e in answer["errors"]} == {"GRAPHQL_VALIDATION_FAILED"}


def test_shipped_documents_pass(shared_server: Server) -> None:
    """GraphiQL's introspection and our own operations are within the default limits."""
    assert len(shared_server.graphql(INTROSPECTION)["__schema"]["types"]) > 50
    schema = make_schema()._schema
    for path in (ROOT / "schema" / "operations").glob("*.graphql"):
        assert cost(schema, path.read_text()) < 125_000, path


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


def test_cost_of_the_named_operation(shared_server: Server) -> None:
    """Of several operations, the named one counts."""
    text = "query A { server { version } } query B { tasks(first: 9) { nodes { id } } }"
    for name, expected in (("A", 2), ("B", 20), (None, 2)):
        body = shared_server.post("/graphql", json={"query": text, "operationName": name}).json()
        assert body["extensions"]["cost"] == {"requested": expected, "limit": 125_000}


def test_refused_by_variables(shared_server: Server) -> None:
    """A cost that depends on variables is refused before these are validated."""
    answer = shared_server.request(EVENTS, {"e": [{}] * 30_000})
    assert answer.status_code == 400
    body = answer.json()
    assert body["errors"][0]["extensions"] == {"code": "TOO_COSTLY", "limit": 125_000}
    assert body["extensions"]["cost"]["requested"] == 1 + 30_000 * 50 + 1 + 30_000 * 2


def test_settings(start_server: StartServer, sqlite_url: str) -> None:
    """Every limit is a setting."""
    settings = {
        "max_document_characters": (3_000, "{ server { version } }" + " " * 3_000),
        "max_document_tokens": (200, "{ server { " + "version " * 200 + "} }"),
        "max_definitions": (1, "{ ...A } fragment A on Query { server { version } }"),
        "max_depth": (3, "{ tasks(first: 1) { nodes { events { nodes { id } } } } }"),
        "max_aliases": (0, "{ a: server { version } }"),
        "max_duplicates": (0, "{ server { version version } }"),
        "max_directives": (0, "{ server @skip(if: false) { version } }"),
        "max_cost": (5, "{ tasks(first: 4) { nodes { id } } }"),
    }
    server = start_server(
        sqlite_url, **{setting: value for setting, (value, _) in settings.items()}
    )
    for setting, (value, text) in settings.items():
        assert server.graphql_error(text)["extensions"] == {"code": LIMITS[setting], "limit": value}
    assert server.graphql("{ server { version } }")


def test_documents_are_remembered(schema: GraphQLSchema) -> None:
    """Documents are cached: parsed and measured once, up to a maximum number and size."""
    documents = Documents(Settings.model_construct())
    first = documents.read(schema, TASKS)
    assert documents.read(schema, TASKS) is first
    for number in range(300):
        documents.read(schema, f"{{ a{number}: server {{ version }} }}")
    assert len(documents) == 256
    assert documents.read(schema, TASKS) is not first
    for number in range(256):
        fields = " ".join(f"a{number}x{field}: __typename" for field in range(90))
        documents.read(schema, f"{{ {fields} }}")
    sizes = [document.size for document in documents._cached.values()]
    assert 10 < len(sizes) < 100
    assert sum(sizes) <= CACHED_BYTES


def test_documentation() -> None:
    """The page on limits names every setting with its default, and every code."""
    page = (ROOT / "docs" / "limits.md").read_text()
    for setting, code in LIMITS.items():
        default = Settings.model_fields[setting].default
        assert f"| `{setting}` | {default:,} | `{code}` |" in page


TREES: st.SearchStrategy[Any] = st.recursive(
    st.just({}),
    lambda inner: st.dictionaries(
        st.sampled_from(["a", "b", "c", "d"]), st.tuples(st.booleans(), inner), max_size=3
    ),
    max_leaves=25,
)


@given(TREES)
@settings(deadline=None)
def test_fragments_change_nothing(tree: dict[str, tuple[bool, Any]]) -> None:
    """A document has the same cost and depth with fragments as without."""
    schema = make_schema()._schema
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


LONG_NUMBER = "9" * 15_000


@pytest.mark.parametrize(
    "document",
    [
        "{ tasks(first: #) { totalCount } }",
        "query($n: Int = #) { tasks(first: $n) { totalCount } }",
        '{ job(task: "t", process: "p", index: #) { id } }',
    ],
)
def test_numbers_with_thousands_of_digits(sqlite_server: Server, document: str) -> None:
    """A literal that Python refuses to convert is an error of the document, not of the server."""
    error = sqlite_server.graphql_error(document.replace("#", LONG_NUMBER))
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    answer = sqlite_server.request(
        document.replace("#", LONG_NUMBER), headers={"accept": "application/graphql-response+json"}
    )
    assert answer.status_code == 400
    assert "incident" not in sqlite_server.log()


@pytest.mark.parametrize("number", [LONG_NUMBER, LONG_NUMBER + ".0", "-" + LONG_NUMBER])
def test_long_numbers_elsewhere(sqlite_server: Server, number: str) -> None:
    """They are refused likewise in variables, in parameters of an address and in cursors."""
    body = (
        """{"query": "query($n: Int) { tasks(first: $n) { totalCount } }", "variables": {"n": #}}"""
    )
    headers = {"content-type": "application/json"}
    answers = [
        sqlite_server.post("/graphql", content=body, headers=headers),
        sqlite_server.get(f"/graphql?query={{server{{version}}}}&variables={number}"),
        sqlite_server.rest("POST", "/t", content=f'{{"processes": {{"p": {number}}}}}'),
        *(sqlite_server.get(f"/api/v0?{name}={number}") for name in ("limit", "after")),
        sqlite_server.get(f"/api/v0/t/p/event?arrayIndex={number}"),
    ]
    for answer in answers:
        assert answer.status_code == 400, answer.text
        assert '"code":"' in answer.text
    for header in ("Accept-Encoding", "Last-Event-ID", "Range"):
        answer = sqlite_server.get("/api/v0", headers={header: number})
        assert answer.status_code in (200, 400)
    assert "incident" not in sqlite_server.log()

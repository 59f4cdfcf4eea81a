"""Limits on documents, applied before execution."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLError, GraphQLSchema, get_introspection_query

from lamia_gql.domain.errors import LimitExceeded
from lamia_gql.domain.settings import Settings
from lamia_gql.graph.limits.documents import CACHED_BYTES, Documents
from tests.support.documents import BEYOND_LIMITS, BOMB, WIDE_BOMB, WITHIN_LIMITS, read
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
def test_refused(sqlite_server: Server, name: str) -> None:
    """A document above a limit is answered 400 with the limit's code."""
    code, text = BEYOND_LIMITS[name]
    for accept in ("application/json", "application/graphql-response+json"):
        answer = sqlite_server.request(text, headers={"accept": accept})
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
def test_cyclic_fragments(sqlite_server: Server, text: str) -> None:
    """Cyclic fragments are refused, used or not."""
    error = sqlite_server.graphql_error(text)
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert error["message"] == "Cannot spread fragment “A” within itself."


@pytest.mark.parametrize(
    "text",
    ["{ ...A }", "{ ...A } fragment B on Query { ...A }", "{ ...A } fragment A on No { ...B }"],
)
def test_unknown_fragments(sqlite_server: Server, text: str) -> None:
    """Spreads of unknown fragments are left to validation."""
    answer = sqlite_server.request(text).json()
    assert {e["extensions"]["code"] for e in answer["errors"]} == {"GRAPHQL_VALIDATION_FAILED"}


def test_shipped_documents_pass(sqlite_server: Server, schema: GraphQLSchema) -> None:
    """GraphiQL's introspection and our own operations are within the default limits."""
    assert len(sqlite_server.graphql(INTROSPECTION)["__schema"]["types"]) > 50
    for path in (ROOT / "schema" / "operations").glob("*.graphql"):
        document = read(schema, path.read_text())
        assert document.errors == []
        assert document.cost(None, {}) < 125_000, path


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
    text = "{ server { version } }"
    first = documents.read(schema, text)
    assert documents.read(schema, text) is first
    for number in range(300):
        documents.read(schema, f"{{ a{number}: server {{ version }} }}")
    assert len(documents) == 256
    assert documents.read(schema, text) is not first
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


def test_costly_queries_that_plans_do_not_answer(
    start_server: StartServer, sqlite_url: str
) -> None:
    """What would occupy the event loop for long has a lower limit, and says what is wrong."""
    server = start_server(sqlite_url, max_cost=3_000)
    server.create("t", {"name": "p", "jobCount": 100})
    wrong = 'wrong: task(name: "t") { events(first: 1, after: "x") { nodes { id } } }'

    def answer(fields: str, jobs: int) -> Any:
        array = f"... on JobArray {{ jobs(first: {jobs}) {{ nodes {{ id index state }} }} }}"
        many = " ".join(
            f'p{number}: process(task: "t", name: "p") {{ {array} }}' for number in range(8)
        )
        return server.request(f"{{ {fields} {many} }}").json()

    assert len(answer("", 100)["data"]) == 8
    for jobs, codes in ((100, ["TOO_COSTLY"]), (30, None)):
        # Introspection is resolved field by field.
        body = answer("__schema { __typename }", jobs)
        found = [error["extensions"]["code"] for error in body.get("errors", [])] or None
        assert found == codes, body
    body = answer(wrong, 100)
    assert "data" not in body
    assert [error["extensions"]["code"] for error in body["errors"]] == ["CURSOR_INVALID"]
    body = answer(wrong, 30)
    assert len(body["data"]["p7"]["jobs"]["nodes"]) == 30
    assert [error["path"] for error in body["errors"]] == [["wrong", "events"]]


def test_the_price_of_adding_up_processes(start_server: StartServer, sqlite_url: str) -> None:
    """A timeline of a task costs more, the more processes it has, when it is read."""
    server = start_server(sqlite_url, max_cost=6_000)
    server.create("t", *({"name": f"p{number}"} for number in range(100)))
    query = '{ task(name: "t") { timeline(points: %d) { at } } }'
    assert server.graphql(query % 250) == {"task": {"timeline": []}}
    assert server.graphql_error(query % 400)["extensions"]["code"] == "TOO_COSTLY"

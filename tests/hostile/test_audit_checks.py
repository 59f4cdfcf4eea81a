"""What auditors of GraphQL servers look for, without a credential: graphql-cop and its kind.

Each check sends what they send, and says whether they would report it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from lamia_gql.domain.access import Role
from tests.support.credentials import Credentials
from tests.support.harness import Server, StartServer

PLACES = ("/", "/graphiql", "/playground", "/console", "/graphql")
"""Where they look for an editor."""
TYPENAME = "{ __typename }"
LOOP = "fields { type { " * 4 + "name" + " } }" * 4


def answered(answer: httpx.Response) -> bool:
    """Whether the operation was executed, be it in part."""
    body = answer.json()
    return not isinstance(body, dict) or body.get("data") is not None


def has_word(answer: httpx.Response, *words: str) -> bool:
    """Whether any of these words is in the answer, in whatever case."""
    return any(word.lower() in answer.text.lower() for word in words)


def ask(server: Server, document: str) -> httpx.Response:
    """The answer to a document."""
    return server.post("/graphql", json={"query": document})


def errors_of(answer: httpx.Response) -> int:
    """How many errors an answer has."""
    return len(answer.json().get("errors", ()))


CHECKS: dict[str, Callable[[Server], bool]] = {
    "a hundred aliases": lambda s: answered(
        ask(s, "{" + " ".join(f"a{n}: __typename" for n in range(101)) + "}")
    ),
    "a batch": lambda s: answered(s.post("/graphql", json=[{"query": TYPENAME}] * 10)),
    "ten unknown directives": lambda s: errors_of(ask(s, "{ __typename " + "@a" * 10 + " }")) >= 10,
    "a hundred directives": lambda s: answered(
        ask(s, "{ __typename " + "@include(if: true) " * 100 + "}")
    ),
    "five hundred equal fields": lambda s: answered(ask(s, "{" + "__typename " * 500 + "}")),
    "types in a circle": lambda s: answered(ask(s, f"{{ __schema {{ types {{ {LOOP} }} }} }}")),
    "the schema": lambda s: answered(ask(s, "{ __schema { types { name } } }")),
    "suggestions": lambda s: has_word(
        ask(s, "{ __schema { directive } taks { nme } }"), "did you mean"
    ),
    "a query by GET": lambda s: answered(s.get("/graphql", params={"query": TYPENAME})),
    "a mutation by GET": lambda s: answered(
        s.get("/graphql", params={"query": "mutation { __typename }"})
    ),
    "a form": lambda s: answered(s.post("/graphql", data={"query": TYPENAME})),
    "plain text": lambda s: answered(
        s.post(
            "/graphql",
            content='{"query": "{ __typename }"}',
            headers={"content-type": "text/plain"},
        )
    ),
    "an editor": lambda s: any(
        has_word(s.get(place, headers={"accept": "text/html"}), "graphiql.min", "playground")
        or "<title>GraphiQL" in s.get(place, headers={"accept": "text/html"}).text
        for place in PLACES
    ),
    "traces": lambda s: has_word(ask(s, TYPENAME), "tracing"),
    "exceptions": lambda s: any(
        has_word(ask(s, document), "exception", "traceback", "stack", ".py")
        for document in ("qwerty { abc }", '{ task(name: "\\u0000") { name } }', "{", "")
    ),
}
EDITOR = {"an editor"}
"""A page for everybody, which has nothing of the server, and asks to sign in."""
HARMLESS = {"a query by GET", *EDITOR}
"""By GET nothing is changed, and no other site's page is let near."""


def findings(server: Server) -> set[str]:
    """The checks that find something."""
    return {name for name, check in CHECKS.items() if check(server)}


def test_an_open_server(start_server: StartServer, sqlite_url: str) -> None:
    """On one's own machine the schema is shown; all else is refused."""
    server = start_server(sqlite_url)
    assert findings(server) == {"the schema", "suggestions", *HARMLESS}


def test_a_server_without_introspection(start_server: StartServer, sqlite_url: str) -> None:
    """It does not show the schema, in answers nor in errors."""
    server = start_server(sqlite_url, introspection="false")
    assert findings(server) == HARMLESS


def test_a_guarded_server(start_server: StartServer, sqlite_url: str) -> None:
    """Who has no credential learns nothing."""
    credentials = Credentials(sqlite_url)
    credentials.token("admin", Role.ADMIN)
    assert findings(start_server(sqlite_url)) == EDITOR
    credentials.close()


def test_a_server_with_persisted_documents(
    start_server: StartServer, sqlite_url: str, tmp_path: Path
) -> None:
    """Nothing else is executed, not even to find out what would be possible."""
    server = start_server(sqlite_url, persisted_documents=tmp_path)
    assert findings(server) == EDITOR


@pytest.mark.parametrize("origin", ["https://evil.example", "null", None])
def test_a_query_by_get_from_another_site(sqlite_server: Server, origin: str | None) -> None:
    """Pages of other sites can't use a reader's address, nor embed what they must not read."""
    headers = {"sec-fetch-site": "cross-site"} | ({} if origin is None else {"origin": origin})
    answer = sqlite_server.get("/graphql", params={"query": TYPENAME}, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["extensions"]["code"] == "ORIGIN_NOT_ALLOWED"

"""A server that does not show its schema."""

from __future__ import annotations

from typing import Any

from graphql import GraphQLSchema, graphql_sync

from tests.support.harness import StartServer
from tests.support.live_clients import WebSocketClient


def told_by_default(schema: GraphQLSchema, document: str, variables: dict[str, Any]) -> str:
    """The errors, as graphql-core writes them."""
    return str(graphql_sync(schema, document, variable_values=variables).errors)


async def test_closed(start_server: StartServer, sqlite_url: str, schema: GraphQLSchema) -> None:
    """No introspection, also in fragments, and no suggestions; what is known works."""
    server = start_server(sqlite_url, introspection="false")
    server.create("t", {"name": "p"})
    for document in (
        "{ __schema { queryType { name } } }",
        'query { __type(name: "Task") { name } }',
        "{ ...F } fragment F on Query { __schema { types { name } } }",
    ):
        body = server.request(document).json()
        assert body.get("data") is None
        assert body["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        assert "introspection" in body["errors"][0]["message"]
    filtered = "query($f: TaskFilter) { tasks(first: 1, filter: $f) { totalCount } }"
    misspelled: list[tuple[str, dict[str, Any]]] = [
        ("{ taks { name } }", {}),
        ("{ tasks(first: 1) { nodes { ... on Taks { name } } } }", {}),
        ("{ tasks(first: 1, filter: { states: [RUNNIN] }) { totalCount } }", {}),
        ("{ tasks(first: 1, filter: { state: [RUNNING] }) { totalCount } }", {}),
        ('{ task(nme: "t") { name } }', {}),
        ('query($f: TaskFiltr) { task(name: "t") { name @skp(if: true) } }', {}),
        (filtered, {"f": {"states": ["RUNNIN"]}}),
        (filtered, {"f": {"state": ["RUNNING"]}}),
    ]
    async with WebSocketClient(server.url) as ws:
        for document, variables in misspelled:
            # Else there would be nothing to hide.
            assert "Did you mean" in told_by_default(schema, document, variables), document
            body = server.request(document, variables).json()
            assert body["errors"]
            stream = server.request(document, variables, headers={"accept": "text/event-stream"})
            await ws.subscribe("1", document, **variables)
            message = await ws.receive()
            assert (message["id"], message["type"]) == ("1", "error")
            for told in (body, stream.text, message):
                assert "Did you mean" not in str(told), told
    found = server.graphql('{ __typename task(name: "t") { __typename name } }')
    assert found == {"__typename": "Query", "task": {"__typename": "Task", "name": "t"}}

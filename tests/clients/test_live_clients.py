"""The clients that people use: gql of Python, graphql-ws and graphql-sse of JavaScript."""

from __future__ import annotations

import json
from typing import Any

import pytest
from gql import Client, gql
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport

from tests.support import npm
from tests.support.harness import Server
from tests.support.live_clients import BEGINNING

EVENTS = 'subscription { events(task: "t", after: "%s") { node { eventClass } } }'


@pytest.mark.parametrize("transport", ["ws", "sse"])
def test_javascript_clients(sqlite_server: Server, transport: str) -> None:
    """They query, mutate and subscribe, and understand refusals and close codes."""
    sqlite_server.create("t", {"name": "p"})
    sqlite_server.submit("t", "p", "STARTED")
    npm.install()
    told = json.loads(npm.run("live.mjs", f"{sqlite_server.url}/graphql"))
    seen = told[transport]
    assert [one["data"] for one in seen["query"]] == [{"task": {"state": "RUNNING"}}]
    [mutation] = seen["mutation"]
    assert mutation["data"] == {"submitEvent": {"process": {"state": "RUNNING"}}}
    events = [result["data"]["events"]["node"]["eventClass"] for result in seen["subscription"]]
    assert events == ["STARTED", "BEAT"]
    [refused] = seen["refused"]
    assert refused["errors"][0]["extensions"]["code"] == "TASK_NOT_FOUND"
    assert told["codes"] == {
        "unauthorized": 4401,
        "greeted": 4429,
        "duplicate": 4409,
        "malformed": 4400,
    }
    assert "Traceback" not in sqlite_server.log()


async def test_gql_for_python_over_a_websocket(sqlite_server: Server) -> None:
    """It queries, mutates and subscribes on one connection."""
    sqlite_server.create("t", {"name": "p"})
    sqlite_server.submit("t", "p", "STARTED")

    url = f"{sqlite_server.url.replace('http', 'ws')}/graphql"
    transport = WebsocketsTransport(
        url=url, subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL]
    )
    async with Client(transport=transport, fetch_schema_from_transport=True) as session:
        found: Any = await session.execute(gql('{ task(name: "t") { state } }'))
        assert found == {"task": {"state": "RUNNING"}}
        stream = session.subscribe(gql(EVENTS % BEGINNING))
        assert await anext(stream) == {"events": {"node": {"eventClass": "STARTED"}}}
        done = gql(
            """mutation { submitEvent(input: {task: "t", process: "p", eventClass: DONE}) {
              process { state } } }"""
        )
        answer = await session.execute(done)
        assert answer == {"submitEvent": {"process": {"state": "SUCCEEDED"}}}
        assert await anext(stream) == {"events": {"node": {"eventClass": "DONE"}}}
        await stream.aclose()
        with pytest.raises(TransportQueryError, match="no task"):
            async for _ in session.subscribe(
                gql('subscription { events(task: "nobody") { cursor } }')
            ):
                pass


async def test_gql_for_python_over_http(sqlite_server: Server) -> None:
    """Its HTTP transport works."""
    sqlite_server.create("t", {"name": "p"})

    transport = HTTPXAsyncTransport(url=f"{sqlite_server.url}/graphql")
    async with Client(transport=transport, fetch_schema_from_transport=True) as session:
        found = await session.execute(gql('{ task(name: "t") { state } }'))
        assert found == {"task": {"state": "PENDING"}}

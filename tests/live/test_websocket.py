"""The graphql-transport-ws protocol, rule by rule."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest
import websockets
from websockets.typing import Subprotocol

from lamia_gql.graph.transport import websocket
from tests.support.harness import Server, StartServer
from tests.support.in_process_server import serve_in_process
from tests.support.live_clients import CHANGES, EVENTS, WebSocketClient
from tests.support.waiting import until_async

SUBSCRIBE = {"id": "1", "type": "subscribe", "payload": {"query": "{ server { version } }"}}


async def closing(
    server: Server, *messages: Any, greet: bool = True
) -> tuple[int | None, str | None]:
    """The close code and reason for a connection that sends these messages."""
    async with WebSocketClient(server.url, greet=greet) as ws:
        # It may be closed before all is sent.
        with suppress(websockets.ConnectionClosed):
            for message in messages:
                await ws.send(message)
        return await ws.closed()


async def test_queries_and_mutations_go_over_a_websocket_as_well(sqlite_server: Server) -> None:
    """Queries and mutations are answered by next and complete; invalid ones by error."""
    sqlite_server.create("t", {"name": "p"})

    async with WebSocketClient(sqlite_server.url) as ws:
        await ws.subscribe("q", '{ task(name: "t") { state } }')
        payload = (await ws.receive())["payload"]
        assert payload["data"] == {"task": {"state": "PENDING"}}
        assert await ws.receive() == {"id": "q", "type": "complete"}
        await ws.subscribe(
            "m",
            """mutation { submitEvent(input: {task: "t", process: "p", eventClass: DONE}) {
              process { state } } }""",
        )
        answer = (await ws.receive())["payload"]["data"]["submitEvent"]
        assert answer == {"process": {"state": "SUCCEEDED"}}
        assert await ws.receive() == {"id": "m", "type": "complete"}
        for query, code in (
            ("{", "GRAPHQL_PARSE_FAILED"),
            ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
            ("query($x: Int!) { tasks(first: $x) { totalCount } }", "BAD_USER_INPUT"),
            ("{" + "a{" * 20_000, "DOCUMENT_TOO_LONG"),
        ):
            await ws.subscribe("e", query)
            message = await ws.receive()
            assert (message["id"], message["type"]) == ("e", "error")
            assert message["payload"][0]["extensions"]["code"] == code
        # An error in a field is a result with an error, and its operation goes on to its end.
        await ws.subscribe("f", '{ node(id: "x") { id } server { version } }')
        message = await ws.receive()
        assert message["type"] == "next"
        assert message["payload"]["errors"][0]["extensions"]["code"] == "ID_INVALID"
        assert (await ws.receive())["type"] == "complete"
    assert "Traceback" not in sqlite_server.log()


async def test_complete_cancels_and_frees_the_id(sqlite_server: Server) -> None:
    """After a client's complete nothing of the operation comes, and its id can be used again."""
    sqlite_server.create("t", {"name": "p", "jobCount": 9})

    async with WebSocketClient(sqlite_server.url) as ws:
        for _ in range(3):
            await ws.subscribe("1", CHANGES, names=["t"])
            assert (await ws.receive())["type"] == "next"
            await ws.send({"id": "1", "type": "complete"})
        await ws.send({"id": "never", "type": "complete"})
        await ws.subscribe("1", "{ server { version } }")
        assert (await ws.receive())["payload"]["data"]["server"]
        assert (await ws.receive()) == {"id": "1", "type": "complete"}


async def test_pings_are_answered_before_and_after_connection_init(sqlite_server: Server) -> None:
    """Pings are answered before and after connection_init."""
    async with WebSocketClient(sqlite_server.url, greet=False) as ws:
        await ws.send({"type": "ping", "payload": {"any": 1}})
        assert await ws.receive() == {"type": "pong"}
        await ws.send({"type": "pong"})
        await ws.send({"type": "connection_init", "payload": {"token": "of no use"}})
        assert await ws.receive() == {"type": "connection_ack"}
        await ws.send({"type": "ping"})
        assert await ws.receive() == {"type": "pong"}


@pytest.mark.parametrize(
    ("code", "greet", "sent"),
    [
        (4401, False, [SUBSCRIBE]),
        (4429, True, [{"type": "connection_init"}]),
        (4429, False, [{"type": "connection_init"}, {"type": "connection_init"}]),
        (4400, True, ["no JSON"]),
        (4400, True, [b"bytes"]),
        (4400, True, ["[" * 100_000]),
        (4400, True, ["7"]),
        (4400, True, ["null"]),
        (4400, True, ['"text"']),
        (4400, True, [{}]),
        (4400, True, [{"type": "start", "id": "1", "payload": {"query": "{ x }"}}]),
        (4400, True, [{"type": ["subscribe"]}]),
        (4400, True, [SUBSCRIBE | {"id": ""}]),
        (4400, True, [SUBSCRIBE | {"id": 1}]),
        (4400, True, [{"type": "complete"}]),
        (4400, True, [SUBSCRIBE | {"payload": None}]),
        (4400, True, [SUBSCRIBE | {"payload": {"query": 1}}]),
        (4400, True, [SUBSCRIBE | {"payload": {"query": "{ a }", "variables": []}}]),
        (4400, True, [SUBSCRIBE | {"payload": {"query": "{ a }", "extensions": 1}}]),
        (4400, True, [{"type": "ping", "payload": 1}]),
        (4400, False, [{"type": "connection_init", "payload": "x"}]),
        (1009, True, ['"' + "x" * 2_000_000 + '"']),
    ],
)
async def test_violations_have_close_codes(
    shared: Server, code: int, greet: bool, sent: list[Any]
) -> None:
    """Each violation has its close code, and nothing is logged."""
    assert (await closing(shared, *sent, greet=greet))[0] == code
    assert "Traceback" not in shared.log()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server for tests that leave nothing behind."""
    folder = tmp_path_factory.mktemp("websocket")
    with Server(f"sqlite:///{folder}/lamia.sqlite", folder, forked=True) as server:
        server.create("t", {"name": "p"})
        yield server


async def test_an_id_in_use_closes_the_connection(shared: Server) -> None:
    """Two running operations can't have the same id."""
    subscribe = {
        "id": "1",
        "type": "subscribe",
        "payload": {"query": EVENTS, "variables": {"task": "t"}},
    }
    code, reason = await closing(shared, subscribe, subscribe)
    assert (code, reason) == (4409, "Subscriber for 1 already exists")


@pytest.mark.parametrize("offered", [None, ["graphql-ws"], ["mqtt"]])
async def test_other_protocols_are_not_spoken(shared: Server, offered: list[str] | None) -> None:
    """Other subprotocols, or none, are closed with 4406."""
    protocols = None if offered is None else [Subprotocol(name) for name in offered]
    async with WebSocketClient(shared.url, greet=False, subprotocols=protocols) as ws:
        assert ws.socket.subprotocol is None
        assert (await ws.closed())[0] == 4406


async def test_connections_without_connection_init_are_closed(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection without connection_init is closed in time; others may stay idle."""
    assert websocket.INIT_TIMEOUT_S == 10
    monkeypatch.setattr(websocket, "INIT_TIMEOUT_S", 0.5)

    async with (
        serve_in_process(sqlite_url) as server,
        WebSocketClient(server.url) as greeted,
        WebSocketClient(server.url, greet=False) as silent,
    ):
        assert await silent.closed() == (4408, "Initialisation timeout")
        # The other one is older.
        await greeted.subscribe("1", "{ server { version } }")
        assert (await greeted.receive())["type"] == "next"


@pytest.mark.parametrize(
    "query", [EVENTS, CHANGES, "query($x: Int) { tasks(first: $x) { __typename } }"]
)
async def test_deep_variables_are_an_error_of_their_operation(shared: Server, query: str) -> None:
    """Deeply nested variables are an error of the operation; the connection stays open."""
    deep = "[" * 1_000 + "]" * 1_000
    variables = f'{{"task": "t", "names": {deep}, "x": {deep}, "after": {deep}}}'
    payload = f'{{"query": {json.dumps(query)}, "variables": {variables}}}'

    async with WebSocketClient(shared.url) as ws:
        await ws.send(f'{{"id": "1", "type": "subscribe", "payload": {payload}}}')
        message = await ws.receive()
        assert (message["id"], message["type"]) == ("1", "error")
        assert message["payload"][0]["extensions"]["code"]
        await ws.subscribe("1", "{ server { version } }")
        assert (await ws.receive())["type"] == "next"
    assert "Traceback" not in shared.log()


async def test_extensions_are_ignored(shared: Server) -> None:
    """Unknown extensions in a message are ignored."""
    async with WebSocketClient(shared.url) as ws:
        payload = SUBSCRIBE["payload"] | {"extensions": {"persisted": 1}, "more": []}  # type: ignore[operator] # it is a dict
        await ws.send(SUBSCRIBE | {"payload": payload, "more": 1})
        assert (await ws.receive())["type"] == "next"


async def test_operations_of_a_connection_are_bounded(
    start_server: StartServer, sqlite_url: str
) -> None:
    """One operation too many gets an error; a completed one makes room."""
    server = start_server(sqlite_url, max_subscriptions_per_connection=2)
    server.create("t", {"name": "p"})

    async with WebSocketClient(server.url) as ws:
        for key in "ab":
            await ws.subscribe(key, EVENTS, task="t")
        await ws.subscribe("c", EVENTS, task="t")
        message = await ws.receive()
        assert (message["id"], message["type"]) == ("c", "error")
        assert message["payload"][0]["extensions"]["code"] == "TOO_MANY_SUBSCRIPTIONS"
        await ws.send({"id": "a", "type": "complete"})
        await ws.subscribe("c", "{ server { version } }")
        assert (await ws.receive())["type"] == "next"


async def test_connections_of_an_address_are_bounded(
    start_server: StartServer, sqlite_url: str
) -> None:
    """WebSockets and streams count together; a closed one makes room."""
    server = start_server(sqlite_url, max_connections_per_address=2)
    server.create("t", {"name": "p"})

    async with WebSocketClient(server.url):
        async with WebSocketClient(server.url):
            async with WebSocketClient(server.url, greet=False) as third:
                code, reason = await third.closed()
                assert code == 1013
                assert reason is not None
                assert reason.startswith("TOO_MANY_CONNECTIONS")
            answer = await asyncio.to_thread(
                server.request,
                "{ server { version } }",
                headers={"accept": "text/event-stream"},
            )
            assert answer.status_code == 429
            assert answer.json()["errors"][0]["extensions"]["code"] == "TOO_MANY_CONNECTIONS"

        async def is_accepted() -> bool:
            try:
                async with WebSocketClient(server.url):
                    return True
            except websockets.ConnectionClosed:
                return False

        await until_async(is_accepted, "room for another connection")

"""Live connections end when their credential does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from lamia_gql.domain.access import Role
from tests.support.credentials import SECRET, Credentials, bearer
from tests.support.harness import Server, StartServer
from tests.support.live_clients import BEGINNING, CHANGES, EVENTS, WebSocketClient
from tests.support.waiting import until_async


@pytest.fixture
def credentials(database_url: str) -> Iterator[Credentials]:
    """Tokens and tasks, on either engine."""
    found = Credentials(database_url)
    found.add_task("t")
    yield found
    found.close()


async def connect(server: Server, token: str) -> WebSocketClient:
    """A WebSocket of the bearer of this token, which watches a task."""
    ws = WebSocketClient(server.url, greet=False)
    await ws.__aenter__()
    await ws.send({"type": "connection_init", "payload": bearer(token)})
    assert await ws.receive() == {"type": "connection_ack"}
    await ws.subscribe("1", CHANGES, names=["t"])
    assert (await ws.receive())["type"] == "next"
    return ws


async def test_revoked_by_a_command(start_server: StartServer, credentials: Credentials) -> None:
    """What another program revokes ends within seconds; the connections of others stay."""
    token, kept = credentials.token("gone", Role.READ), credentials.token("kept", Role.READ)
    server = start_server(credentials.database_url, secret_keys=SECRET)
    revoked, staying = await connect(server, token), await connect(server, kept)
    credentials.revoke("gone")
    assert await revoked.closed() == (4403, "Forbidden: the credential has ended")
    await staying.subscribe("2", CHANGES, names=["t"])
    assert (await staying.receive())["type"] == "next"
    for ws in (revoked, staying):
        await ws.__aexit__(None, None, None)


async def test_whoever_shares_events_with_a_revoked_one_goes_on(
    start_server: StartServer, credentials: Credentials
) -> None:
    """The first of equal subscribers ends alone, though the others share its execution."""
    tokens = [credentials.token(name, Role.READ) for name in ("gone", "kept")]
    admin = credentials.token("admin", Role.ADMIN)
    server = start_server(credentials.database_url, secret_keys=SECRET)
    first, second = [await connect(server, token) for token in tokens]
    submit = """mutation { submitEvent(input: {task: "t", process: "p", eventClass: BEAT}) {
      userErrors { message } } }"""

    async def next_event(ws: WebSocketClient) -> None:
        while (message := await ws.receive())["id"] != "events":
            pass
        assert message["type"] == "next", message

    for ws in (first, second):
        await ws.subscribe("events", EVENTS, task="t", after=BEGINNING)
    assert server.request(submit, headers=bearer(admin)).json()["data"]["submitEvent"]
    for ws in (first, second):
        await next_event(ws)
    credentials.revoke("gone")
    assert (await first.closed())[0] == 4403
    assert server.request(submit, headers=bearer(admin)).json()["data"]["submitEvent"]
    await next_event(second)
    for ws in (first, second):
        await ws.__aexit__(None, None, None)


async def test_revoked_on_another_server(start_server: StartServer, postgres_url: str) -> None:
    """An administrator revokes on one server, and the stream on the other ends at once."""
    credentials = Credentials(postgres_url)
    credentials.add_task("t")
    token, admin = credentials.token("gone", Role.READ), credentials.token("admin", Role.ADMIN)
    one = start_server(postgres_url, secret_keys=SECRET)
    two = start_server(postgres_url, secret_keys=SECRET)
    revoke = 'mutation { revokeAccessToken(input: {name: "gone"}) { accessToken { name } } }'
    async with (
        httpx.AsyncClient(timeout=20, verify=False) as client,
        client.stream(
            "POST",
            f"{two.url}/graphql",
            json={"query": EVENTS, "variables": {"task": "t"}},
            headers=bearer(token) | {"accept": "text/event-stream"},
        ) as stream,
    ):
        lines = stream.aiter_lines()
        assert await anext(lines) == ":"
        answer = one.request(revoke, headers=bearer(admin)).json()
        assert answer["data"]["revokeAccessToken"]["accessToken"] == {"name": "gone"}
        rest = [line async for line in lines]
    assert any("UNAUTHENTICATED" in line for line in rest)
    assert "event: complete" in rest
    for server in (one, two):
        assert server.request("{ viewer { name } }", headers=bearer(token)).status_code == 401
    credentials.close()


async def test_expired(start_server: StartServer, sqlite_url: str) -> None:
    """A connection ends when the time of its token is over."""
    credentials = Credentials(sqlite_url)
    credentials.add_task("t")
    token = credentials.token("short", Role.READ, days=4 / 86_400)
    ends = datetime.now(UTC) + timedelta(seconds=4)
    server = start_server(sqlite_url, secret_keys=SECRET)
    ws = await connect(server, token)
    assert (await ws.closed())[0] == 4403
    assert datetime.now(UTC) > ends
    await ws.__aexit__(None, None, None)
    credentials.close()


async def test_the_first_token_ends_the_open_server(
    start_server: StartServer, sqlite_url: str
) -> None:
    """While there is no token, everybody may do everything; from the first one on, nobody."""
    server = start_server(sqlite_url)
    server.create("t", {"name": "p"})
    async with WebSocketClient(server.url) as ws:
        await ws.subscribe("1", CHANGES, names=["t"])
        assert (await ws.receive())["type"] == "next"
        credentials = Credentials(sqlite_url)
        admin = credentials.token("admin", Role.ADMIN)
        assert (await ws.closed())[0] == 4403
    assert server.request("{ server { version } }").status_code == 401
    # What was created before belongs to nobody: to administrators.
    document = '{ task(name: "t") { name owner } }'
    answer = server.request(document, headers=bearer(admin)).json()
    assert answer["data"] == {"task": {"name": "t", "owner": None}}
    credentials.revoke("admin")
    await until_async(
        lambda: server.request("{ server { version } }").status_code == 200, lambda: "still closed"
    )
    credentials.close()


async def test_anonymous_read(start_server: StartServer, sqlite_url: str) -> None:
    """With `anonymous_read`, everybody reads, and nobody writes without a credential."""
    credentials = Credentials(sqlite_url)
    credentials.add_task("t")
    credentials.token("admin", Role.ADMIN)
    server = start_server(sqlite_url, anonymous_read="true")
    viewer = server.graphql('{ viewer { name roles prefix } task(name: "t") { name } }')
    assert viewer == {
        "viewer": {"name": None, "roles": ["READ"], "prefix": None},
        "task": {"name": "t"},
    }
    async with WebSocketClient(server.url) as ws:
        await ws.subscribe("1", CHANGES, names=["t"])
        assert (await ws.receive())["type"] == "next"
    answer = server.request('mutation { deleteTask(input: {name: "t"}) { deletedId } }')
    assert answer.status_code == 403
    assert server.rest("DELETE", "/t").status_code == 403
    credentials.close()

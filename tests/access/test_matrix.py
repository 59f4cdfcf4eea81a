"""Every operation by every kind of credential, over every transport.

The tables below say who may do what. Everybody else is refused: with UNAUTHENTICATED who has no
valid credential, with FORBIDDEN who has one.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from lamia_gql.domain.access import Role
from tests.support.credentials import OWNER, SECRET, Credentials, bearer
from tests.support.engines import quick_on
from tests.support.harness import Server, StartServer
from tests.support.live_clients import WebSocketClient
from tests.support.waiting import until

UNKNOWN = {"none", "garbage", "expired", "revoked", "expired job", "forged job"}
"""Credentials that are none."""
READERS = {"read", "owner", "other", "admin"}
CREDENTIALS = [
    *sorted(UNKNOWN),
    *("job", "job of p", "revoked job", "job of another task", "job of a deleted task"),
    *("report t", "report u", *sorted(READERS)),
]
OWNERS = {"owner", "admin"}
REPORTERS = {"job", "job of p", "report t", *OWNERS}

QUERIES = {
    "task": '{ task(name: "t") { name } }',
    "introspection": "{ __schema { queryType { name } } }",
    "viewer": "{ viewer { name } }",
    "server": "{ server { version } }",
}
MUTATIONS = {
    "createTask": (
        'createTask(input: {name: "t%d", processes: [{name: "p"}]})',
        {"owner", "other", "admin"},
    ),
    "createTasks": (
        'createTasks(input: {tasks: [{name: "t%d", processes: [{name: "p"}]}]})',
        {"owner", "other", "admin"},
    ),
    "updateTask": ('updateTask(input: {name: "t", comment: "%d"})', OWNERS),
    "addProcesses": ('addProcesses(input: {task: "t", processes: [{name: "r%d"}]})', OWNERS),
    "deleteTask": ('deleteTask(input: {name: "gone"})', OWNERS),
    "deleteTasks": ('deleteTasks(input: {names: ["gone"]})', OWNERS),
    "issueTaskToken": ('issueTaskToken(input: {task: "t"})', OWNERS),
    "revokeTaskTokens": ('revokeTaskTokens(input: {task: "other"})', {"admin"}),
    "createAccessToken": (
        'createAccessToken(input: {name: "n%d", roles: [READ]})',
        {"admin"},
    ),
    "submitEvent": ('submitEvent(input: {task: "t", process: "p", eventClass: BEAT})', REPORTERS),
    "submitEvent of q": (
        'submitEvent(input: {task: "t", process: "q", eventClass: BEAT})',
        REPORTERS - {"job of p"},
    ),
}
SUBSCRIPTIONS = {
    "events": 'subscription { events(task: "t", after: "") { cursor } }',
    "taskChanged": 'subscription { taskChanged(names: ["t"]) { name } }',
}
REST: dict[str, tuple[str, str, Any, set[str]]] = {
    "list": ("GET", "?limit=1", None, READERS),
    "task": ("GET", "/t", None, READERS),
    "processes": ("GET", "/t/@all", None, READERS),
    "process": ("GET", "/t/p", None, READERS),
    "events": ("GET", "/t/p/event", None, READERS),
    "create": ("POST", "/t%d", {"processes": {"p": None}}, {"owner", "other", "admin"}),
    "edit": ("PUT", "/t", {"comment": "c"}, OWNERS),
    "edit many": ("PUT", "", [{"name": "t", "comment": "c"}], OWNERS),
    "delete": ("DELETE", "/gone", None, OWNERS),
    "delete many": ("DELETE", "", ["gone"], OWNERS),
    "submit": ("POST", "/t/p/event", {"eventClass": "BEAT"}, REPORTERS),
    "submit by PATCH": ("PATCH", "/t/p", {"eventClass": "BEAT"}, REPORTERS),
    "submit many": (
        "POST",
        "/events",
        [{"task": "t", "process": "p", "eventClass": "BEAT"}],
        REPORTERS,
    ),
    "nowhere": ("GET", "/a/b/c/d", None, set()),
}


@dataclass(frozen=True)
class Site:
    """A guarded server, and a token of every kind."""

    server: Server
    credentials: Credentials
    tokens: dict[str, str | None]
    numbers: Iterator[int]

    def renew(self) -> None:
        """Let there be a task to be deleted."""
        answer = self.server.rest("GET", "/gone", headers=bearer(self.tokens["admin"]))
        if answer.status_code == 404:
            self.credentials.add_task("gone")

    def beat(self) -> None:
        """Let there be an event."""
        event = {"eventClass": "BEAT"}
        self.server.rest("POST", "/t/p/event", event, headers=bearer(self.tokens["admin"]))


def make_site(start_server: StartServer, url: str) -> Iterator[Site]:
    """A server with tokens of every kind, two tasks, and one to be deleted."""
    made = Credentials(url)
    grant, lost = made.add_task("t"), made.add_task("other", "somebody else")
    past = time.time() - 60
    right = made.job_token(grant)
    tokens: dict[str, str | None] = {
        "none": None,
        "garbage": "lamia_a1_garbage",
        "expired": made.token("expired", Role.ADMIN),
        "revoked": made.token("revoked", Role.ADMIN),
        "expired job": made.job_token(grant, past),
        "forged job": right[:-6] + "AAAAAA",
        "job": right,
        "job of p": made.job_token(replace(grant, process="p")),
        "revoked job": made.job_token(replace(grant, generation=grant.generation + 1)),
        "job of another task": made.job_token(lost),
        "job of a deleted task": made.job_token(replace(grant, task_id=10**6)),
        "report t": made.token("report t", Role.REPORT, prefix="t"),
        "report u": made.token("report u", Role.REPORT, prefix="u"),
        "read": made.token("reader", Role.READ),
        "owner": made.token(OWNER, Role.SUBMIT),
        "other": made.token("other", Role.SUBMIT),
        "admin": made.token("admin", Role.ADMIN),
    }
    made.expire("expired")
    made.revoke("revoked")
    server = start_server(url, secret_keys=SECRET)
    yield Site(server, made, tokens, itertools.count())
    made.close()
    for token in filter(None, tokens.values()):
        assert token not in server.log()


@pytest.fixture
def site(start_server: StartServer, sqlite_url: str) -> Iterator[Site]:
    """A site on SQLite: what a transport refuses does not depend on the engine."""
    yield from make_site(start_server, sqlite_url)


@pytest.fixture
def site_of_either(start_server: StartServer, database_url: str) -> Iterator[Site]:
    """A site on either engine."""
    yield from make_site(start_server, database_url)


def expected(credential: str, allowed: set[str], *, submits: bool = False) -> str | None:
    """The code of the refusal; None for what is allowed."""
    if credential in allowed:
        return None
    if credential in UNKNOWN or (submits and credential == "revoked job"):
        return "UNAUTHENTICATED"
    return "FORBIDDEN"


def code(body: Any) -> str | None:
    """The code of the first error in an answer of GraphQL; None where there is none."""
    if body.get("errors"):
        found: str = body["errors"][0]["extensions"]["code"]
        return found
    for payload in (body["data"] or {}).values():
        if isinstance(payload, dict) and payload.get("userErrors"):
            return str(payload["userErrors"][0]["code"])
    return None


def operations(site: Site) -> Iterator[tuple[str, str, set[str], bool]]:
    """Name, document, who may run it, and whether it submits events."""
    for name, document in QUERIES.items():
        yield name, document, READERS, False
    for name, (field, allowed) in MUTATIONS.items():
        text = field % next(site.numbers) if "%" in field else field
        document = f"mutation {{ {text} {{ userErrors {{ code }} }} }}"
        yield name, document, allowed, name.startswith("submit")
    administration = "{ accessTokens(first: 1) { name } }"
    yield "accessTokens", administration, {"admin"}, False


@quick_on("sqlite", "database_url")
def test_http(site_of_either: Site) -> None:
    """GraphQL over HTTP: refused requests have the status 401 or 403, and say how to go on."""
    site = site_of_either
    for credential in CREDENTIALS:
        for name, document, allowed, submits in operations(site):
            site.renew()
            answer = site.server.request(document, headers=bearer(site.tokens[credential]))
            wanted = expected(credential, allowed, submits=submits)
            assert code(answer.json()) == wanted, (credential, name, answer.text)
            if wanted == "UNAUTHENTICATED":
                assert answer.status_code == 401, (credential, name)
                if credential in UNKNOWN:
                    assert answer.headers["www-authenticate"].startswith("Bearer ")
            elif wanted == "FORBIDDEN" and answer.json().get("data") is None:
                assert answer.status_code == 403, (credential, name)


def test_rest(site: Site) -> None:
    """Every route of REST."""
    for credential in CREDENTIALS:
        for name, (method, path, body, allowed) in REST.items():
            site.renew()
            path = path % next(site.numbers) if "%" in path else path
            answer = site.server.rest(method, path, body, headers=bearer(site.tokens[credential]))
            wanted = expected(credential, allowed, submits=name.startswith("submit"))
            told = (credential, name, answer.text)
            if name == "nowhere" and credential not in UNKNOWN:
                assert answer.status_code == 404, told
            elif wanted is None:
                assert answer.status_code < 300, told
            elif name == "submit many" and wanted == "FORBIDDEN" and answer.status_code == 400:
                [entry] = answer.json()
                assert entry["errors"][0]["details"]["code"] == wanted, told
            else:
                assert answer.status_code == (401 if wanted == "UNAUTHENTICATED" else 403), told
                assert answer.json()["errors"][0]["details"]["code"] == wanted, told


@asynccontextmanager
async def opened(site: Site, credential: str) -> AsyncIterator[WebSocketClient | str]:
    """A WebSocket with a credential; or its close code where it is refused."""
    async with WebSocketClient(site.server.url, greet=False) as ws:
        payload = bearer(site.tokens[credential])
        await ws.send({"type": "connection_init", "payload": payload})
        if credential in UNKNOWN:
            yield str((await ws.closed())[0])
        else:
            assert await ws.receive() == {"type": "connection_ack"}
            yield ws


async def test_websocket(site: Site) -> None:
    """GraphQL over WebSocket, where the credential comes with `connection_init`."""
    subscriptions = [(name, text, READERS, False) for name, text in SUBSCRIPTIONS.items()]
    for credential in CREDENTIALS:
        async with opened(site, credential) as ws:
            if isinstance(ws, str):
                assert ws == "4403"
                continue
            for name, document, allowed, submits in (*operations(site), *subscriptions):
                site.renew()
                if name == "events":
                    site.beat()
                await ws.subscribe(name, document)
                message = await ws.receive()
                payload = message["payload"]
                body = {"errors": payload} if message["type"] == "error" else payload
                assert code(body) == expected(credential, allowed, submits=submits), (
                    credential,
                    name,
                    message,
                )
                await ws.send({"id": name, "type": "complete"})
                while message["type"] == "next" and name not in SUBSCRIPTIONS:
                    message = await ws.receive()


async def test_event_streams(site: Site) -> None:
    """Subscriptions over server-sent events."""
    accept = {"accept": "text/event-stream"}
    site.beat()

    async def first(client: httpx.AsyncClient, credential: str, document: str) -> Any:
        async with client.stream(
            "POST",
            f"{site.server.url}/graphql",
            json={"query": document},
            headers=accept | bearer(site.tokens[credential]),
        ) as answer:
            if answer.status_code != 200:
                assert answer.status_code == (401 if credential in UNKNOWN else 403)
                return json.loads(await answer.aread())
            async for line in answer.aiter_lines():
                if line.startswith("data: {"):
                    return json.loads(line[6:])
        raise AssertionError("the stream had no result")

    async with httpx.AsyncClient(timeout=20, verify=False) as client:
        for credential in CREDENTIALS:
            for name, document in SUBSCRIPTIONS.items():
                body = await first(client, credential, document)
                assert code(body) == expected(credential, READERS), (credential, name, body)


@pytest.mark.parametrize("path", ["/", "/graphiql", "/healthz", "/readyz"])
def test_open_addresses(site: Site, path: str) -> None:
    """The pages, which have no data, and the probes need no credential."""
    until(lambda: site.server.get("/readyz").status_code == 200, lambda: site.server.log())
    assert site.server.get(path).status_code == 200

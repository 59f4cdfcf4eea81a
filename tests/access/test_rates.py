"""Rates of clients, over the wire: 429, when to come back, and nothing changed."""

from __future__ import annotations

import asyncio

import httpx

from lamia_gql.domain.access import Role
from tests.support.credentials import SECRET, Credentials, bearer
from tests.support.harness import SUBMIT_EVENTS, StartServer
from tests.support.live_clients import WebSocketClient

BEAT = {"task": "t", "process": "p", "eventClass": "BEAT"}


def refusal(answer: httpx.Response) -> str:
    """The code of an answer with the status 429, which says when to come back."""
    assert answer.status_code == 429, answer.text
    assert 1 <= int(answer.headers["retry-after"]) <= 20
    [error] = answer.json()["errors"]
    found: str = (error.get("extensions") or error["details"])["code"]
    return found


async def test_floods_end_and_others_go_on(start_server: StartServer, sqlite_url: str) -> None:
    """Who submits or asks too much is refused until it is paid off; nobody else is concerned."""
    credentials = Credentials(sqlite_url)
    grant, other = credentials.add_task("t"), credentials.add_task("u")
    job = bearer(credentials.job_token(grant))
    reader = bearer(credentials.token("reader", Role.READ))
    rates = {"max_event_rate": 10, "max_operation_rate": 5, "max_cost_rate": 300}
    server = start_server(sqlite_url, secret_keys=SECRET, **rates)

    # Events: a burst of ten seconds passes, and what is not taken is not stored.
    assert server.rest("POST", "/events", [BEAT] * 100, headers=job).status_code == 201
    refused = server.rest("POST", "/events", [BEAT] * 90, headers=job)
    assert refusal(refused) == "RATE_LIMITED"
    events = {"input": {"events": [BEAT] * 90}}
    answer = server.request(SUBMIT_EVENTS, events, headers=job)
    assert refusal(answer) == "RATE_LIMITED"
    others = bearer(credentials.job_token(other))
    event = {"eventClass": "BEAT"}
    assert server.rest("POST", "/u/p/event", event, headers=others).status_code == 201
    answer = server.rest("POST", "/events", [BEAT] * 10, headers=job)
    # On a slow machine, so many may have been paid off by now.
    if answer.status_code != 201:
        assert refusal(answer) == "RATE_LIMITED"
        await asyncio.sleep(int(answer.headers["retry-after"]))
        answer = server.rest("POST", "/events", [BEAT] * 10, headers=job)
    assert answer.status_code == 201

    # Operations and their cost.
    costly = "{ tasks(first: 100) { nodes { name state } } }"
    found = [server.request(costly, headers=reader) for _ in range(60)]
    refused = next(answer for answer in found if answer.status_code != 200)
    assert refusal(refused) == "RATE_LIMITED"
    async with WebSocketClient(server.url, greet=False) as ws:
        await ws.send({"type": "connection_init", "payload": reader})
        assert await ws.receive() == {"type": "connection_ack"}
        for number in range(60):
            await ws.subscribe(str(number), "{ server { version } }")
        while (message := await ws.receive())["type"] != "error":
            pass
        assert message["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
    answer = server.request("{ tasks(first: 1) { totalCount } }", headers=bearer("none"))
    assert answer.status_code == 401
    credentials.close()

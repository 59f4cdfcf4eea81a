"""Clients that submit events without pause, on many connections: others do not wait for them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from lamia_gql.domain.access import Role
from tests.hostile.bystanders import LONGEST_S, bystanders
from tests.hostile.flooder import Answers, flood
from tests.support.credentials import SECRET, Credentials, bearer
from tests.support.harness import SUBMIT_EVENTS, Server, StartServer
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timed, pytest.mark.alone]
BEAT = {"eventClass": "BEAT"}
EVENT = {"task": "guilty", "process": "p", **BEAT}
SERVED = 25
"""How many events of an innocent client are stored during a flood."""
COUNT = '{ task(name: "%s") { events(first: 0) { totalCount } } }'


class Flood(NamedTuple):
    """What a client sends, and what it may be answered."""

    path: str
    body: Any
    connections: int
    ahead: int
    statuses: set[int]
    events: int
    """How many events one accepted request has."""


FLOODS = {
    "single events": Flood("/api/v0/guilty/p/event", BEAT, 1_000, 1, {201, 503}, 1),
    "single events, ahead": Flood("/api/v0/guilty/p/event", BEAT, 200, 16, {201, 503}, 1),
    "batches": Flood("/api/v0/events", [EVENT] * 1_000, 64, 1, {201, 503}, 1_000),
    "batches by GraphQL": Flood(
        "/graphql",
        {"query": SUBMIT_EVENTS, "variables": {"input": {"events": [EVENT] * 1_000}}},
        *(64, 1, {200, 503}, 1_000),
    ),
    "batches that are not valid": Flood(
        "/api/v0/events", [{**EVENT, "eventClass": "NONE"}] * 1_000, 64, 1, {400}, 0
    ),
}


def stored(server: Server, task: str, headers: Mapping[str, str]) -> int:
    """How many events a task has."""
    body = server.request(COUNT % task, headers=headers).json()
    number: int = body["data"]["task"]["events"]["totalCount"]
    return number


def longest_before(server: Server, headers: Mapping[str, str]) -> float:
    """How long an event takes at most while nobody floods the server, in seconds."""
    longest_s = 0.0
    for _ in range(SERVED):
        begin = time.monotonic()
        answer = server.rest("POST", "/innocent/p/event", BEAT, headers=headers)
        longest_s = max(longest_s, time.monotonic() - begin)
        assert answer.status_code == 201, answer.text
    return longest_s


def attack(
    server: Server, attacked: Flood, guilty: Mapping[str, str], innocent: Mapping[str, str]
) -> None:
    """Flood a server while others use it; what was acknowledged is stored.

    Others are delayed by less than a second: that is in addition to what they wait for on this
    machine anyway.
    """
    longest_s = LONGEST_S + longest_before(server, innocent)
    with bystanders(server, "innocent", "p", headers=innocent, longest_s=longest_s):
        path, body, connections, ahead = attacked[:4]
        with flood(server, path, body, guilty, connections=connections, ahead=ahead) as found:
            answers: Answers = found
            until(
                lambda: stored(server, "innocent", innocent) >= 2 * SERVED,
                "the innocent client was not served",
                60,
            )
        assert answers
        assert answers.keys() <= attacked.statuses, answers
        accepted = sum(number for status, number in answers.items() if status < 300)
        assert bool(accepted) is bool(attacked.events)
        assert stored(server, "guilty", innocent) >= accepted * attacked.events


@pytest.mark.parametrize("kind", FLOODS)
def test_by_another_token(start_server: StartServer, sqlite_url: str, kind: str) -> None:
    """One user floods, from the machine of another one."""
    credentials = Credentials(sqlite_url)
    tokens = [bearer(credentials.token(name, Role.ADMIN)) for name in ("guilty", "innocent")]
    for task in ("guilty", "innocent"):
        credentials.add_task(task)
    credentials.close()
    attack(start_server(sqlite_url, secret_keys=SECRET), FLOODS[kind], *tokens)


@pytest.mark.parametrize("kind", ["single events", "batches"])
def test_from_another_address(start_server: StartServer, sqlite_url: str, kind: str) -> None:
    """One machine floods through the proxy that another one uses, too."""
    server = start_server(sqlite_url, trusted_proxies="127.0.0.1")
    for task in ("guilty", "innocent"):
        server.create(task, {"name": "p"})
    machines = [{"x-forwarded-for": address} for address in ("10.0.0.1", "10.0.0.2")]
    attack(server, FLOODS[kind], *machines)

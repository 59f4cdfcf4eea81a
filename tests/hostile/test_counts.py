"""Counting what a filter selects: it has a price and an end, and nobody else has to wait for it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import combinations, islice
from typing import Any

import httpx
import pytest

from lamia_gql.domain.lifecycle import EventClass
from tests.hostile.bystanders import bystanders
from tests.hostile.large_task import fill
from tests.support.harness import Server, StartServer

MORE = {"totalCount": 10_000, "isTotalCountExact": False}
ATTACKER = "127.0.0.2"
NUMBER = "{ totalCount isTotalCountExact }"


def exact(number: int) -> dict[str, Any]:
    """What a list says that has just so many entries."""
    return {"totalCount": number, "isTotalCountExact": True}


def test_what_a_filter_selects_is_counted_up_to_ten_thousand(server: Server) -> None:
    """Counts are exact up to 10,000, and without a filter; else the list says that it has more."""
    fill(server, "t", jobs=10_001, events=25_000)
    found = server.graphql(
        """{ task(name: "t") { all: events(first: 1) # beats: events(first: 1, eventClass: [BEAT]) #
        starts: events(first: 1, eventClass: [STARTED]) #
        failures: events(first: 1, eventClass: [FAILED]) #
        none: events(first: 1, eventClass: []) #
        process(name: "p") { outlook beats: events(first: 1, eventClass: [BEAT]) #
          ... on JobArray { running: jobs(first: 1, filter: {states: [RUNNING]}) #
            lost: jobs(first: 1, filter: {liveness: LOST}) #
            late: jobs(first: 1, filter: {liveness: LATE}) #
            job(index: 3) { beats: events(first: 1, eventClass: [BEAT]) # } } } } }""".replace(
            "#", NUMBER
        )
    )["task"]
    assert found == {
        "all": exact(25_000),
        "beats": MORE,
        "starts": MORE,
        "failures": exact(0),
        "none": exact(0),
        "process": {
            "outlook": "AT_RISK",
            "beats": MORE,
            "running": exact(10_001),
            "lost": MORE,
            "late": exact(0),
            "job": {"beats": exact(2)},
        },
    }


def test_tasks_are_counted_exactly(server: Server) -> None:
    """All tasks but deleted ones are counted; so are the few that a filter selects."""
    for number in range(5):
        server.create(f"t{number}", {"name": "p"})
    server.graphql('mutation { deleteTask(input: {name: "t3"}) { userErrors { code } } }')
    found = server.graphql(
        """{ all: tasks(first: 1) # two: tasks(first: 1, filter: {names: ["t1", "t2", "t3"]}) #
        text: tasks(first: 1, filter: {text: "T"}) # }""".replace("#", NUMBER)
    )
    assert found == {"all": exact(4), "two": exact(2), "text": exact(4)}


def test_a_filtered_count_has_a_price(sqlite_server: Server) -> None:
    """To count what a filter selects costs 1,000: once for a list, also through a fragment."""
    filtered = 'tasks(first: 1, filter: {text: "x"})'
    for query, price in {
        "{ tasks(first: 1) { totalCount } }": 20,
        f"{{ {filtered} {{ nodes {{ name }} }} }}": 12,
        f"{{ {filtered} {{ totalCount }} }}": 1_020,
        f"{{ {filtered} {{ totalCount isTotalCountExact }} }}": 1_030,
        f"{{ {filtered} {{ ...f }} }} fragment f on TaskConnection {{ totalCount }}": 1_020,
        f"{{ {filtered} {{ ... {{ n: totalCount }} }} }}": 1_020,
        '{ task(name: "x") { events(first: 1, eventClass: [BEAT]) { totalCount } } }': 1_031,
    }.items():
        body = sqlite_server.request(query).json()
        assert body["extensions"]["cost"]["requested"] == price, query


@pytest.mark.slow
@pytest.mark.timed
@pytest.mark.timeout(600)
def test_counting_a_million_events_keeps_nobody_waiting(
    start_server: StartServer, sqlite_url: str
) -> None:
    """Ten requests, each with 45 counts of a million events, occupy only their own readers."""
    server = start_server(sqlite_url)
    fill(server, "large", jobs=100_000, events=1_000_000)
    server.create("t", {"name": "p"})
    classes = list(EventClass)
    # Every set has a class that there is, and most of them are rare.
    sets = [
        ", ".join(("STARTED", *others))
        for size in range(1, 7)
        for others in combinations([one for one in classes if one not in ("STARTED", "BEAT")], size)
    ]
    query = " ".join(
        f"a{number}: events(last: 1, eventClass: [{names}]) {{ totalCount }}"
        for number, names in enumerate(islice(sets, 45))
    )
    with (
        httpx.Client(
            transport=httpx.HTTPTransport(local_address=ATTACKER), base_url=server.url, timeout=120
        ) as attacker,
        ThreadPoolExecutor(10) as threads,
        bystanders(server, "t", "p"),
    ):
        answers = threads.map(
            lambda _: attacker.post(
                "/graphql", json={"query": f'{{ task(name: "large") {{ {query} }} }}'}
            ).json(),
            range(10),
        )
        for answer in answers:
            if "errors" in answer:
                assert answer["errors"][0]["extensions"]["code"] in ("TIMED_OUT", "BUSY"), answer

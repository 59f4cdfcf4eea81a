"""Many clients at once, and a server that is killed: no event is lost or counted twice."""

from __future__ import annotations

import asyncio
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from lamia_gql.domain.settings import load
from lamia_gql.storage.engine import create_engine
from lamia_gql.storage.models import Event, Task
from tests.support.harness import SUBMIT_EVENT, SUBMIT_EVENTS, Server, StartServer

pytestmark = [pytest.mark.slow, pytest.mark.timed, pytest.mark.timeout(300)]
TASKS, JOBS = 4, 50
CLASSES = ["STARTED", "BEAT", "PROGRESS", "DONE", "FAILED"]


def make_events(number: int, seed: int) -> list[dict[str, Any]]:
    """Random events of the jobs of all tasks."""
    chance = random.Random(seed)
    return [
        {
            "id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            "task": f"task{chance.randrange(TASKS)}",
            "process": chance.choice(["a", "b"]),
            "index": chance.randrange(JOBS),
            "eventClass": chance.choice(CLASSES),
            "progress": chance.choice([None, 0.1, 7, 33.3]),
        }
        for _ in range(number)
    ]


def prepare(server: Server) -> None:
    """Create the tasks."""
    for number in range(TASKS):
        processes = [{"name": name, "jobCount": JOBS, "threshold": 900} for name in "ab"]
        server.create(f"task{number}", *processes)


def chunks(events: Sequence[dict[str, Any]], chance: random.Random) -> Iterator[Any]:
    """The events in pieces of random size."""
    begin = 0
    while begin < len(events):
        size = chance.choice([1, 1, 1, 20, 100])
        yield list(events[begin : begin + size])
        begin += size


async def send(client: httpx.AsyncClient, url: str, batch: list[dict[str, Any]]) -> list[Any]:
    """The results of a batch, by the field that fits its size. Raises for a broken connection."""
    if len(batch) == 1:
        query, variables = SUBMIT_EVENT, {"input": batch[0]}
    else:
        query, variables = SUBMIT_EVENTS, {"input": {"events": batch}}
    response = await client.post(
        f"{url}/graphql", json={"query": query, "variables": variables}, timeout=60
    )
    if response.status_code == 503:
        raise httpx.ReadError("not now")
    body = response.json()
    assert "errors" not in body, body
    if len(batch) == 1:
        return [body["data"]["submitEvent"]]
    results: list[Any] = body["data"]["submitEvents"]["results"]
    return results


def ids(database_url: str) -> Counter[str]:
    """How often each event is stored."""
    engine = create_engine(load(database_url=database_url))
    with engine.connect() as connection:
        found = Counter(connection.scalars(select(Event.id)))
    engine.dispose()
    return found


async def pour(servers: Sequence[Server], clients: int, each: int) -> int:
    """Submit from many clients, a tenth of it twice; the expected number of events."""

    async def one(number: int, http: httpx.AsyncClient) -> None:
        chance = random.Random(number)
        events = make_events(each, number)
        server = servers[number % len(servers)]
        for batch in chunks(events, chance):
            for result in await send(http, server.url, batch):
                assert result["userErrors"] == []
                assert result["duplicate"] is False
            if chance.random() < 0.1:
                other = chance.choice(servers)
                for result in await send(http, other.url, batch):
                    assert result["userErrors"] == []
                    assert result["duplicate"] is True

    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    async with httpx.AsyncClient(limits=limits, verify=False) as http:
        await asyncio.gather(*(one(number, http) for number in range(clients)))
    return clients * each


async def test_sixty_four_clients(server: Server) -> None:
    """64 clients, 20,000 events, on each engine: all acknowledged, each stored and counted once."""
    prepare(server)
    expected = await pour([server], 64, 313)
    assert expected >= 20_000
    found = ids(server.database_url)
    assert found.total() == len(found) == expected
    server.check_counters()
    assert "ERROR" not in server.log()


async def test_two_servers_on_one_database(start_server: StartServer, postgres_url: str) -> None:
    """Two servers on one PostgreSQL neither deadlock nor lose counts."""
    servers = [start_server(postgres_url), start_server(postgres_url)]
    prepare(servers[0])
    expected = await pour(servers, 64, 313)
    found = ids(postgres_url)
    assert found.total() == len(found) == expected
    servers[1].check_counters()
    assert "ERROR" not in servers[0].log() + servers[1].log()


def test_power_cuts(start_server: StartServer, database_url: str) -> None:
    """A server that is killed repeatedly keeps all events that it has acknowledged."""
    server = start_server(database_url)
    prepare(server)
    writing, each = 16, 600
    total = writing * each
    acknowledged: set[str] = set()
    done = threading.Event()

    async def one(number: int) -> None:
        chance = random.Random(number)
        async with httpx.AsyncClient(verify=False) as http:
            for batch in chunks(make_events(each, 1000 + number), chance):
                while True:
                    try:
                        results = await send(http, server.url, batch)
                    except httpx.TransportError:
                        # As a client would: the same events again, until they are taken.
                        await asyncio.sleep(0.05)
                        continue
                    break
                assert all(result["userErrors"] == [] for result in results)
                acknowledged.update(event["id"] for event in batch)

    async def run() -> None:
        await asyncio.gather(*(one(number) for number in range(writing)))

    # In a thread of their own, with a loop of their own: the test itself blocks, as it kills and
    # starts the server.
    def writers() -> None:
        try:
            asyncio.run(run())
        finally:
            done.set()

    thread = threading.Thread(target=writers)
    thread.start()
    for fifths in range(1, 5):
        # In the midst of it, however fast the machine is.
        while len(acknowledged) < fifths * total // 5 and not done.wait(0.005):
            pass
        server.kill()
        known = set(acknowledged)
        server.start()
        assert known <= ids(database_url).keys()
    thread.join()
    found = ids(database_url)
    assert found.total() == len(found)
    assert found.keys() == acknowledged
    assert len(acknowledged) == total
    server.check_counters()


def test_a_million_jobs(server: Server) -> None:
    """An array of a million jobs: quick to create and query, deleted without blocking others."""
    million = 1_000_000
    begin = time.perf_counter()
    server.create("big", {"name": "a", "jobCount": million})
    assert time.perf_counter() - begin < 2
    server.create("other", {"name": "p"})
    batch = 1000
    for first in range(0, 50_000, batch):
        events = [
            {
                "task": "big",
                "process": "a",
                "index": first + n,
                "eventClass": "FAILED" if n % 100 == 0 else "DONE",
            }
            for n in range(batch)
        ]
        assert not any(r["userErrors"] for r in server.submit_many(events))
    query = """{ process(task: "big", name: "a") { counts { total pending done failed }
      ... on JobArray {
        first: jobs(first: 100) { totalCount nodes { index state } }
        far: jobs(first: 3, filter: {states: [PENDING]}) { totalCount nodes { index } }
        failed: jobs(first: 2, filter: {states: [FAILED]}) { totalCount nodes { index } }
        indices(states: [FAILED]) pending: indices(states: [PENDING]) last: job(index: 999999) {
          state } } } }"""
    begin = time.perf_counter()
    array = server.graphql(query)["process"]
    seconds = time.perf_counter() - begin
    assert array["counts"] == {
        "total": million,
        "pending": 950_000,
        "done": 49_500,
        "failed": 500,
    }
    assert array["first"]["totalCount"] == million
    assert [job["index"] for job in array["far"]["nodes"]] == [50_000, 50_001, 50_002]
    assert array["far"]["totalCount"] == 950_000
    assert [job["index"] for job in array["failed"]["nodes"]] == [0, 100]
    assert array["indices"].split(",")[:3] == ["0", "100", "200"]
    assert array["pending"] == "50000-999999"
    assert array["last"] == {"state": "PENDING"}
    assert seconds < 5

    server.graphql('mutation { deleteTask(input: {name: "big"}) { deletedId } }')
    longest = 0.0
    engine = create_engine(load(database_url=server.database_url))
    deleted = select(Task.id).where(Task.deleted_at.is_not(None))
    left = 1
    while left:
        start = time.perf_counter()
        server.submit("other", "p", "BEAT")
        longest = max(longest, time.perf_counter() - start)
        with engine.connect() as connection:
            left = len(connection.execute(deleted).all())
        # The events of a client that is in no hurry.
        time.sleep(0.05)
    engine.dispose()
    assert longest < 2

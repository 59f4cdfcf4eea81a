"""Two servers behind a balancer are restarted one after the other, and no client notices."""

from __future__ import annotations

import asyncio
import json
import re
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import websockets

from tests.support.harness import SUBMIT_EVENT, Server, StartServer
from tests.support.job_side import (
    LAMIA_JOB,
    ROOT,
    job_environment,
    spooled_events,
    stored_events,
)
from tests.support.live_clients import EVENTS, WebSocketClient, open_sse
from tests.support.nginx import balancer
from tests.support.waiting import until_async

JOBS = 4
"""How many jobs send events at once; as many pages ask for the task."""
ROUNDS = 2
PAGE = """{ task(name: "t") { state counts { done total } processes { nodes { name state
  ... on JobArray { jobs(first: 20) { nodes { index state } } } } } } }"""


class Load:
    """Jobs, pages and subscribers of one task, which note what they were told."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.acknowledged: set[str] = set()
        self.given = 0
        """How many events lamia-job was given."""
        self.answers = 0
        self.moves = 0
        """How often a subscriber had to move."""
        self.ends = False
        """Whether jobs and pages are to end."""

    async def _post(self, client: httpx.AsyncClient, query: str, **variables: object) -> None:
        body = {"query": query, "variables": variables}
        answer = await client.post(f"{self.url}/graphql", json=body)
        assert answer.status_code == 200, answer.text
        assert "errors" not in answer.json(), answer.text
        self.answers += 1
        if query == SUBMIT_EVENT:
            payload = answer.json()["data"]["submitEvent"]
            assert payload["userErrors"] == []
            self.acknowledged.add(payload["event"]["uuid"])

    async def until_answered(self, number: int) -> None:
        """Return after this number of further answers."""
        enough = self.answers + number
        await until_async(lambda: self.answers >= enough, lambda: f"{self.answers} of {enough}")

    async def job(self, client: httpx.AsyncClient, index: int) -> None:
        """Send beats, each after the answer to the one before."""
        event = {"task": "t", "process": "p", "eventClass": "BEAT", "index": index}
        while not self.ends:
            await self._post(client, SUBMIT_EVENT, input=event)

    async def page(self, client: httpx.AsyncClient) -> None:
        """Ask for the task again and again."""
        while not self.ends:
            await self._post(client, PAGE)
            await asyncio.sleep(0.01)

    async def program(self, folder: Path) -> None:
        """Give lamia-job beats of the task ``by lamia-job``; it must complain of nothing."""
        environ = job_environment(self.url, folder, task="by lamia-job")
        command = [*LAMIA_JOB, "emit", "--batch"]
        running = await asyncio.create_subprocess_exec(
            *command, env=environ, cwd=ROOT, stdin=PIPE, stderr=PIPE
        )
        assert running.stdin is not None
        while not self.ends:
            running.stdin.write(json.dumps({"eventClass": "BEAT", "index": 0}).encode() + b"\n")
            self.given += 1
            await asyncio.sleep(0.01)
        _, complaints = await running.communicate(b"")
        assert (running.returncode, complaints) == (0, b"")

    async def by_websocket(self, received: list[str]) -> None:
        """Follow the events, and resume at once where the server says that it goes away."""
        cursor = ""
        while True:
            try:
                async with WebSocketClient(self.url) as ws:
                    await ws.subscribe("1", EVENTS, task="t", after=cursor)
                    async for found in ws.results():
                        cursor = found["events"]["cursor"]
                        received.append(found["events"]["node"]["uuid"])
            except websockets.ConnectionClosedOK as closed:
                code = closed.rcvd and closed.rcvd.code
                if code != 1001:
                    raise
            self.moves += 1

    async def by_event_stream(self, received: list[str]) -> None:
        """The same by server-sent events."""
        cursor = ""
        while True:
            async with open_sse(self.url, EVENTS, task="t", after=cursor) as messages:
                async for message in messages:
                    if message.event == "complete":
                        break
                    if "errors" in message.data:
                        assert message.data["errors"][0]["extensions"]["code"] == "STOPPING"
                        continue
                    assert message.id is not None
                    cursor = message.id
                    received.append(message.data["data"]["events"]["node"]["uuid"])
            self.moves += 1

    @asynccontextmanager
    async def running(self, followed: Sequence[list[str]], folder: Path) -> AsyncIterator[None]:
        """Run all of them in the block, with subscribers for these lists. Whoever fails ends it.

        The subscribers go on until they have followed all that was stored.
        """
        async with httpx.AsyncClient(timeout=30, verify=False) as client, asyncio.TaskGroup() as g:
            following = [
                g.create_task((self.by_event_stream if number % 2 else self.by_websocket)(received))
                for number, received in enumerate(followed)
            ]
            others = [
                g.create_task(made)
                for index in range(JOBS)
                for made in (self.job(client, index), self.page(client))
            ]
            others.append(g.create_task(self.program(folder)))
            yield
            self.ends = True
            await asyncio.wait(others)
            enough = len(self.acknowledged)
            await until_async(lambda: all(len(one) >= enough for one in followed), "all events")
            for one in following:
                one.cancel()


@pytest.mark.slow
async def test_no_client_notices(
    postgres_server: Server, start_server: StartServer, tmp_path: Path
) -> None:
    """Every request is answered, every event is stored, and followed once, by its cursor."""
    first = postgres_server
    second = start_server(first.database_url)
    for task in ("t", "by lamia-job"):
        first.create(task, {"name": "p", "jobCount": 50})
    with balancer(tmp_path, [first.url, second.url]) as url:
        load = Load(url)
        followed: list[list[str]] = [[] for _ in range(8)]
        async with load.running(followed, tmp_path):
            for server in (first, second) * ROUNDS:
                await load.until_answered(50)
                await asyncio.to_thread(server.stop)
                await load.until_answered(20)
                await asyncio.to_thread(server.start)
    for received in followed:
        assert len(received) == len(set(received))
        assert set(received) == load.acknowledged
    assert load.moves >= 2 * ROUNDS
    assert load.given == len(stored_events(first, "by lamia-job")) > 0
    assert spooled_events(tmp_path) == []
    first.check_counters()
    for server in (first, second):
        assert not re.search("WARNING|ERROR|Traceback", server.log()), server.log()

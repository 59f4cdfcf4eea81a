"""People who look at the fleet, and programs that follow its events."""

from __future__ import annotations

import asyncio
import random
from array import array
from typing import Any

import orjson

from bench.array_page import documents
from bench.fleet.sender import ANSWER_TIMEOUT_S, FAILURES, RETRY_S
from bench.fleet.servers import Servers
from bench.fleet.streams import Stream
from bench.http_client import Connection, operation

EVENTS = """subscription($task: String!, $after: String) {
  events(task: $task, after: $after) { cursor node { uuid } } }"""
STORED = "query($task: String!) { task(name: $task) { events(first: 0) { totalCount } } }"
SHOWN = {"points": 90, "groups": 20, "hosts": 8}
"""What the page of a task shows at most."""
INTERVAL_S = 2.0
"""The time between two snapshots for it."""
PAGE_S = 20.0
"""How often a viewer goes from the list to the page of the task, or back."""


async def ask(servers: Servers, body: bytes) -> bytes:
    """The answer to one operation, over a connection of its own."""
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        connection = await Connection.open(servers.url)
        try:
            return await connection.ask(servers.request(body))
        finally:
            connection.close()


class Viewer:
    """Somebody with a task of their own, whose page is pushed what changes.

    Args:
        servers: where they look, and what is pushed comes from.
        task: the name of the task.
        chance: the source of chance.
    """

    def __init__(self, servers: Servers, task: str, chance: random.Random) -> None:
        self._servers, self._chance = servers, chance
        self._pages = (
            operation(documents()["Tasks"], first=25),
            operation(documents()["Task"], name=task, **SHOWN),
        )
        watched = {"names": [task], "interval": INTERVAL_S, **SHOWN}
        self.stream = Stream(
            servers, documents()["TaskPageChanged"], lambda: watched, self._receive
        )
        self.pushes = 0
        self.failures = 0
        """How many pages could not be read at once."""
        self.page_times = array("d")
        """How long each page took, in seconds."""

    async def run(self) -> None:
        """Look, until cancelled."""
        # They do not come all at once.
        await asyncio.sleep(self._chance.uniform(0, PAGE_S))
        async with asyncio.TaskGroup() as group:
            group.create_task(self.stream.run())
            group.create_task(self._look())

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            for page in self._pages:
                begin = loop.time()
                while not await self._read(page):
                    self.failures += 1
                    self._servers.move_on()
                    await asyncio.sleep(RETRY_S)
                self.page_times.append(loop.time() - begin)
                await asyncio.sleep(PAGE_S)

    async def _read(self, page: bytes) -> bool:
        try:
            await ask(self._servers, page)
        except FAILURES:
            return False
        return True

    def _receive(self, _data: Any) -> None:
        self.pushes += 1


class Follower:
    """A program that gets every event of a task, and goes on by its cursor.

    Args:
        servers: where they look, and what is pushed comes from.
        task: the name of the task.
    """

    def __init__(self, servers: Servers, task: str) -> None:
        self._task = task
        self._cursor = ""
        self._seen: set[str] = set()
        self.repeated = 0
        """How many events came more than once."""
        self.stream = Stream(
            servers, EVENTS, lambda: {"task": task, "after": self._cursor}, self._receive
        )

    async def missing(self) -> int:
        """How many events of the task it has not got.

        Raises one of ``FAILURES`` if the server does not answer.
        """
        body = await ask(self.stream.servers, operation(STORED, task=self._task))
        total: int = orjson.loads(body)["data"]["task"]["events"]["totalCount"]
        return total - len(self._seen)

    def _receive(self, data: Any) -> None:
        event = data["events"]
        self._cursor = event["cursor"]
        self.repeated += event["node"]["uuid"] in self._seen
        self._seen.add(event["node"]["uuid"])

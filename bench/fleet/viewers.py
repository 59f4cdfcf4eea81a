"""People who look at the fleet: a subscription each, and the pages of the list."""

from __future__ import annotations

import asyncio
import random
from array import array
from pathlib import Path

from bench.http_client import Connection, operation, request
from bench.subscription import Subscription

OPERATIONS = Path(__file__).parents[2] / "schema" / "operations"
CHANGES = """subscription($names: [String!]) { taskChanged(names: $names, interval: 2) {
  name state outlook progress { ratio } counts { running done failed late lost } rate } }"""
PAGE_S = 20.0
"""How often a viewer asks for the list."""


class Viewer:
    """One of them, with a task of their own.

    Args:
        url: the address of the server.
        task: the name of the task.
        chance: the source of chance.
    """

    def __init__(self, url: str, task: str, chance: random.Random) -> None:
        self._url, self._task, self._chance = url, task, chance
        self.pushes = 0
        self.page_times = array("d")
        """How long each page took, in seconds."""

    async def run(self) -> None:
        """Look, until cancelled."""
        loop = asyncio.get_running_loop()
        # They do not come all at once.
        await asyncio.sleep(self._chance.uniform(0, PAGE_S))
        list_tasks = (OPERATIONS / "tasks.graphql").read_text()
        page = request(self._url, "/graphql", operation(list_tasks, first=25))
        changes = operation(CHANGES, names=[self._task])
        subscription = await asyncio.to_thread(Subscription, self._url, changes)

        def read() -> None:
            self.pushes += len(subscription.read())

        loop.add_reader(subscription.socket, read)
        try:
            while True:
                begin = loop.time()
                # Servers close connections that are idle for that long.
                connection = await Connection.open(self._url)
                await connection.ask(page)
                connection.close()
                self.page_times.append(loop.time() - begin)
                await asyncio.sleep(PAGE_S)
        finally:
            loop.remove_reader(subscription.socket)
            subscription.close()

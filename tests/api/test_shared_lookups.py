"""Many clients that ask for tasks by their names at once: each gets its own answer."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from tests.support.engines import quick_on
from tests.support.harness import Server

TASKS, ABSENT, REQUESTS = 12, 3, 240
SHARED = """query($name: String!) { task(name: $name) {
  name counts { total done } processes { nodes { name progress { ratio } } } } }"""
OWN = """query($name: String!, $process: String!) { task(name: $name) {
  name process(name: $process) { name } } }"""


@quick_on("sqlite")
async def test_each_gets_its_own_answer(server: Server) -> None:
    """Whether the task exists or not, whatever the others ask, and where some ask wrongly."""
    for number in range(TASKS):
        server.create(f"t{number}", {"name": f"p{number}", "jobCount": 10 + number}, {"name": "s"})
        server.submit(f"t{number}", f"p{number}", "DONE", index=number % 10)

    def asks(place: int) -> tuple[dict[str, Any], Any]:
        number = place % (TASKS + ABSENT)
        name, exists = f"t{number}", number < TASKS
        variables: dict[str, Any] = {"name": name}
        if place % 7 == 0:
            variables["process"] = f"p{number}"
            task: Any = {"name": name, "process": {"name": f"p{number}"}}
            return {"query": OWN, "variables": variables}, {"task": task if exists else None}
        if place % 11 == 0:
            return {"query": SHARED, "variables": {"name": None}}, None
        array = {"name": f"p{number}", "progress": {"ratio": 1 / (10 + number)}}
        task = {
            "name": name,
            "counts": {"total": 11 + number, "done": 1},
            "processes": {"nodes": [array, {"name": "s", "progress": None}]},
        }
        return {"query": SHARED, "variables": variables}, {"task": task if exists else None}

    async with httpx.AsyncClient(
        limits=httpx.Limits(max_connections=64), timeout=60, verify=False
    ) as http:

        async def ask(place: int) -> None:
            body, expected = asks(place)
            answer = (await http.post(f"{server.url}/graphql", json=body)).json()
            if expected is None:
                assert "data" not in answer, answer
            else:
                assert answer["data"] == expected, body

        await asyncio.gather(*map(ask, range(REQUESTS)))

"""The REST interface runs a constant number of SQL statements."""

from __future__ import annotations

from typing import Any

import httpx

from lamia_gql.domain.settings import load
from lamia_gql.server.app import create_app
from tests.support.harness import Server
from tests.support.statements import record_statements


async def count_statements(database_url: str, paths: list[str]) -> list[int]:
    """The number of SQL statements for each of these paths."""
    app = create_app(load(database_url=database_url))
    numbers = []
    async with app.router.lifespan_context(app) as state:

        async def with_state(scope: Any, receive: Any, send: Any) -> None:
            await app(scope | {"state": state}, receive, send)

        transport = httpx.ASGITransport(with_state)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            for path in paths:
                # What is purged meanwhile is no part of it.
                with record_statements("lamia-read") as statements:
                    assert (await client.get(f"/api/v0{path}")).status_code == 200
                numbers.append(len(statements))
    return numbers


async def test_the_number_of_statements_does_not_grow(server: Server) -> None:
    """Fifty tasks with processes and tags need as many statements as one."""
    processes: dict[str, Any] = {f"p{n}": n + 1 for n in range(20)}
    tasks = [{"name": f"t{n}", "processes": processes, "tags": ["a", f"b{n}"]} for n in range(50)]
    assert server.rest("POST", "", tasks).status_code == 201
    for _ in range(30):
        server.rest("POST", "/t0/p3/event?arrayIndex=1", {"eventClass": "BEAT"})
    paths = ["?limit=1", "?limit=50", "/t0", "/t0/@all", "/t0/p3", "/t0/p3/event"]
    assert await count_statements(server.database_url, paths) == [4, 4, 4, 2, 2, 3]

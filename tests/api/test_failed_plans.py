"""Operations for which no plan can be made, because of a fault."""

from __future__ import annotations

import httpx
import pytest

from lamia_gql.graph.plans.compiler import Compiler
from tests.support.harness import CREATE_TASK
from tests.support.in_process_server import serve_in_process
from tests.support.live_clients import CHANGES, WebSocketClient


async def test_they_are_answered_all_the_same(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Field by field, and the log tells why: a query, and a subscription."""

    def fail(*_arguments: object) -> None:
        raise RuntimeError("a fault of the compiler")

    monkeypatch.setattr(Compiler, "query", fail)
    monkeypatch.setattr(Compiler, "snapshot", fail)
    async with (
        serve_in_process(sqlite_url, compiled_queries=True) as server,
        httpx.AsyncClient(base_url=server.url, verify=False) as client,
        WebSocketClient(server.url) as ws,
    ):
        created = {"input": {"name": "t", "processes": [{"name": "p"}]}}
        await client.post("/graphql", json={"query": CREATE_TASK, "variables": created})
        answer = await client.post("/graphql", json={"query": '{ task(name: "t") { name } }'})
        assert answer.json()["data"] == {"task": {"name": "t"}}
        assert "a fault of the compiler" in caplog.text
        caplog.clear()
        await ws.subscribe("1", CHANGES, names=["t"])
        assert (await ws.receive())["payload"]["data"]["taskChanged"]["state"] == "PENDING"
        assert "a fault of the compiler" in caplog.text

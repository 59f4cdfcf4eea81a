"""A server in the process of the test, whose resources can be inspected."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette

from lamia_gql.api.services import Services
from lamia_gql.domain.settings import load
from lamia_gql.graph.transport.streams import OperationStreams
from lamia_gql.server.app import ONLY_WORKER
from lamia_gql.server.run import make_server
from lamia_gql.server.service_manager import ServiceManager
from tests.support.waiting import until_async


@dataclass(frozen=True, slots=True)
class InProcessServer:
    """A running server with its services."""

    url: str
    services: Services
    streams: OperationStreams

    def resources(self) -> dict[str, int]:
        """The numbers of connections, subscribers, feeds, streams and asyncio tasks."""
        live = self.services.feeds
        return {
            "connections": len(self.services.live_connections),
            "events": len(live.events),
            "changes": len(live.changes),
            "feeds": live.feed_count,
            "streams": len(self.streams),
            "tasks": len(asyncio.all_tasks()),
        }

    async def until_resources(self, expected: dict[str, int]) -> None:
        """Wait until :meth:`resources` is as expected."""
        await until_async(
            lambda: self.resources() == expected, lambda: (self.resources(), expected), timeout_s=60
        )


@asynccontextmanager
async def serve_in_process(database_url: str, **settings: Any) -> AsyncIterator[InProcessServer]:
    """Serve in this event loop, with these settings, for the duration of the block."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        settings = {"database_url": database_url, "log_level": "warning"} | settings
        server = make_server(load(**settings), ServiceManager({}), ONLY_WORKER, lambda: True)
        app = server.config.app
        assert isinstance(app, Starlette)
        [streams] = [
            argument
            for each in app.user_middleware
            for argument in each.args
            if isinstance(argument, OperationStreams)
        ]
        running = asyncio.create_task(server.serve([listening]))
        try:
            await until_async(lambda: server.started or running.done(), "the start of the server")
            assert not running.done()
            host, port = listening.getsockname()
            services: Services = server.lifespan.state["services"]
            yield InProcessServer(f"http://{host}:{port}", services, streams)
        finally:
            server.should_exit = True
            await running

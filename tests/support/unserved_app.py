"""The application without a server: its subscriptions, and the events that they show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from strawberry.types.graphql import OperationType

from lamia_gql.api.services import Services
from lamia_gql.domain.access import ANYONE, Principal
from lamia_gql.domain.lifecycle import EventClass
from lamia_gql.domain.settings import load
from lamia_gql.graph.context import Context
from lamia_gql.graph.schema import make_schema
from lamia_gql.graph.transport.operation import Operation
from lamia_gql.graph.transport.result import Result
from lamia_gql.graph.transport.streams import OperationStreams
from lamia_gql.graph.transport.waiting_results import Push, SharedResult, WriteAtOnce
from lamia_gql.ingest.event_input import check_event
from lamia_gql.ingest.task_input import ProcessSpec, TaskSpec
from lamia_gql.ingest.tasks import create_tasks
from lamia_gql.server.app import create_app
from tests.support.live_clients import CHANGES
from tests.support.waiting import until_async

Stream = AsyncGenerator[Result, None]
NOW = datetime.now(UTC)


class UnservedApp:
    """The application without a server, with its streams."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.streams = OperationStreams(make_schema(services.settings))

    async def make(self, *names: str) -> None:
        """Create tasks."""
        specs = [TaskSpec(name, [ProcessSpec("p", 100)]) for name in names]
        database, settings = self.services.database, self.services.settings
        await database.write(create_tasks(settings, specs, NOW))

    async def done(self, task: str, index: int, event_class: EventClass = EventClass.DONE) -> None:
        """Store an event of a job, by default DONE."""
        new = check_event(
            self.services.settings,
            task=task,
            process="p",
            index=index,
            event_class=event_class,
            received_at=NOW,
        )
        await self.services.record_events(ANYONE, None, [new])

    def watch(
        self,
        query: str = CHANGES,
        write: WriteAtOnce | None = None,
        principal: Principal = ANYONE,
        **variables: Any,
    ) -> Stream:
        """The results of an operation that the principal asks for; ``write`` is of a transport."""
        operation = Operation(query, variables, None)
        context = Context(self.services, principal)
        return self.streams.results(operation, context, set(OperationType), write)

    async def until_empty(self) -> None:
        """Wait until no subscription is left."""
        live = self.services.feeds
        await until_async(
            lambda: len(self.streams) == len(live.changes) == len(live.events) == 0,
            lambda: (len(live.changes), list(live.events)),
        )


def push_of(*results: Result) -> Push:
    """These results, as they are handed to a subscriber."""
    return Push([SharedResult(result) for result in results])


@asynccontextmanager
async def running_app(url: str, **settings: Any) -> AsyncIterator[UnservedApp]:
    """Run an application without a server; at the end, no stream may be left."""
    application: Starlette = create_app(load(database_url=url, **settings))
    async with application.router.lifespan_context(application) as state:
        assert state is not None
        app = UnservedApp(state["services"])
        async with asyncio.timeout(60):
            yield app
        await app.until_empty()

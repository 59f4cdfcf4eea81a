"""The application: its routes, and the resources that live as long as it does."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypedDict

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute

from lamia_gql import __version__
from lamia_gql.api.answer_budget import AnswerMemory
from lamia_gql.api.cost_gate import CostGate
from lamia_gql.api.services import Services
from lamia_gql.api.turns import Turns
from lamia_gql.domain.errors import Unavailable
from lamia_gql.domain.settings import Settings
from lamia_gql.graph.schema import make_schema
from lamia_gql.graph.transport.http import GraphQLEndpoint
from lamia_gql.graph.transport.streams import OperationStreams
from lamia_gql.graph.transport.websocket import WebSocketEndpoint
from lamia_gql.ingest.purger import Purger
from lamia_gql.ingest.recorder import Recorder
from lamia_gql.live.feeds import Feeds
from lamia_gql.live.live_connections import LiveConnections
from lamia_gql.live.pg_listener import PgListener
from lamia_gql.live.subscription_limit import SubscriptionLimit
from lamia_gql.live.task_watches import TaskWatches
from lamia_gql.rest.routes import API
from lamia_gql.server.client_address import ClientAddress
from lamia_gql.server.compression import Compression
from lamia_gql.server.memory import Memory
from lamia_gql.server.request_guard import RequestGuard
from lamia_gql.server.response_headers import ResponseHeaders
from lamia_gql.server.static_pages import static_routes
from lamia_gql.storage.database import Database
from lamia_gql.storage.migrations import NotMigrated, current, head, prepare


class State(TypedDict):
    """The state that the lifespan provides to every request."""

    services: Services


def create_app(settings: Settings) -> Starlette:
    """Return the application; its lifespan opens and closes its resources.

    Startup migrates a SQLite file. It raises :class:`NotMigrated` if a PostgreSQL database is not
    at the revision of this version.
    """
    schema = make_schema(settings)
    streams = OperationStreams(schema)
    app = Starlette(
        routes=[
            Route("/graphql", GraphQLEndpoint(schema, streams)),
            WebSocketRoute("/graphql", WebSocketEndpoint(streams)),
            *API,
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            *static_routes(),
        ],
        middleware=_middleware(settings),
        lifespan=_lifespan(settings),
    )
    # It would send the client to whatever `Host` says.
    app.router.redirect_slashes = False
    return app


def _middleware(settings: Settings) -> list[Middleware]:
    """What a request passes through before it is routed, in this order."""
    found = [Middleware(ResponseHeaders), Middleware(RequestGuard, settings)]
    if settings.trusted_proxies:
        found.append(Middleware(ClientAddress, settings.trusted_proxies))
    if settings.allowed_origins:
        found.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.allowed_origins,
                allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
                allow_headers=["Authorization", "Last-Event-ID"],
                expose_headers=["Link"],
                # Pages of the internet need it to use a server of an internal network.
                allow_private_network=True,
            )
        )
    return [*found, Middleware(Compression)]


def _lifespan(settings: Settings) -> Callable[[Starlette], AbstractAsyncContextManager[State]]:
    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[State]:
        database = Database(settings)
        try:
            prepare(database.engine)
            recorder = Recorder(
                database, batch_size=settings.commit_batch, max_waiting=settings.max_waiting_events
            )
            purger = Purger(database)
            feeds = Feeds(database, settings.max_waiting_changes)
            listener = PgListener(database, feeds)
            live_connections = LiveConnections(settings.max_connections_per_address)
            task_watches = TaskWatches(
                database, feeds, settings.max_waiting_changes, settings.snapshot_interval
            )
            feeds.start()
            await listener.start()
            await recorder.start()
            await purger.start()
            memory = Memory()
            await memory.start()
            try:
                yield {
                    "services": Services(
                        settings,
                        database,
                        recorder,
                        purger,
                        feeds,
                        live_connections,
                        task_watches,
                        SubscriptionLimit(settings.max_subscriptions_per_address),
                        CostGate(settings.max_cost),
                        AnswerMemory(settings.max_response_bytes // 2),
                        Turns(),
                    )
                }
            finally:
                await memory.stop()
                await feeds.stop()
                await listener.stop()
                await purger.stop()
                await recorder.stop()
        finally:
            database.close()

    return lifespan


async def healthz(_request: Request) -> Response:
    """Answer 200: the process is alive."""
    return JSONResponse({"status": "ok", "version": __version__})


async def readyz(request: Request) -> Response:
    """Answer 200 if the database is reachable and at the revision of this version, else 503."""
    services: Services = request.state.services
    try:
        found = await services.database.read(current)
    except Unavailable as error:
        return JSONResponse({"status": "unavailable", "reason": error.message}, 503)
    if found != head():
        return JSONResponse({"status": "unavailable", "reason": str(NotMigrated())}, 503)
    return JSONResponse({"status": "ready"})

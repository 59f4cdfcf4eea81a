"""The application: what there is at which address, and what lives as long as the server."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypedDict

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute

from lamia_gql import __version__
from lamia_gql.database import Database
from lamia_gql.errors import Unavailable
from lamia_gql.graph.http import GraphQLEndpoint
from lamia_gql.graph.schema import make_schema
from lamia_gql.graph.streams import Streams
from lamia_gql.graph.websocket import WebSocketEndpoint
from lamia_gql.listener import Listener
from lamia_gql.live import Live
from lamia_gql.migrations import NotMigrated, current, head, prepare
from lamia_gql.recorder import Recorder
from lamia_gql.rest.routes import API
from lamia_gql.services import Services
from lamia_gql.sessions import Sessions
from lamia_gql.settings import Settings
from lamia_gql.sweeper import Sweeper
from lamia_gql.web import web_routes

GC_THRESHOLDS = (5_000, 20, 100)
"""How often cycles are searched for. The young are looked at often enough for the bodies of large
requests, which the executor of GraphQL leaves in cycles, not to fill the memory; the old seldom, as
they are many and that takes long."""


class State(TypedDict):
    """What the lifespan hands to every request."""

    services: Services


def create_app(settings: Settings) -> Starlette:
    """The application with these settings; its lifespan opens and closes all it needs.

    Starting raises :class:`lamia_gql.migrations.NotMigrated` on a PostgreSQL that is not at the
    revision of this code. SQLite files are migrated in place.
    """
    schema = make_schema(settings)
    streams = Streams(schema)
    return Starlette(
        routes=[
            Route("/graphql", GraphQLEndpoint(schema, streams)),
            WebSocketRoute("/graphql", WebSocketEndpoint(streams)),
            *API,
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            *web_routes(),
        ],
        lifespan=_lifespan(settings),
    )


def _lifespan(settings: Settings) -> Callable[[Starlette], AbstractAsyncContextManager[State]]:
    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[State]:
        database = Database(settings)
        try:
            prepare(database.engine)
            recorder = Recorder(
                database, batch=settings.commit_batch, max_waiting=settings.max_waiting_events
            )
            sweeper = Sweeper(database)
            live = Live(database, settings.max_waiting_changes)
            listener = Listener(database, live)
            sessions = Sessions(settings.max_connections_per_address)
            live.start()
            await listener.start()
            await recorder.start()
            await sweeper.start()
            gc.collect()
            gc.freeze()
            gc.set_threshold(*GC_THRESHOLDS)
            try:
                yield {"services": Services(settings, database, recorder, sweeper, live, sessions)}
            finally:
                await live.stop()
                await listener.stop()
                await sweeper.stop()
                await recorder.stop()
        finally:
            database.close()

    return lifespan


async def healthz(_request: Request) -> Response:
    """The process is there and serves."""
    return JSONResponse({"status": "ok", "version": __version__})


async def readyz(request: Request) -> Response:
    """The database is reachable and at the revision of this code; 503 where it is not."""
    services: Services = request.state.services
    try:
        found = await services.database.read(current)
    except Unavailable as error:
        return JSONResponse({"status": "unavailable", "reason": error.message}, 503)
    if found != head():
        return JSONResponse({"status": "unavailable", "reason": str(NotMigrated())}, 503)
    return JSONResponse({"status": "ready"})

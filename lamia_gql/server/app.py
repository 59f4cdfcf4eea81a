"""The application: its routes, and the resources that live as long as it does."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    closing,
    nullcontext,
)
from typing import TYPE_CHECKING, Protocol, TypedDict

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp

from lamia_gql import __version__
from lamia_gql.access.authentication import Authentication
from lamia_gql.access.secret_keys import load_keys
from lamia_gql.access.token_table import TokenTable
from lamia_gql.access.web_tokens import WebTokens
from lamia_gql.api.answer_budget import AnswerMemory
from lamia_gql.api.cost_gate import CostGate
from lamia_gql.api.rate_limits import RateLimits
from lamia_gql.api.request_statistics import RequestStatistics
from lamia_gql.api.request_turns import RequestTurns
from lamia_gql.api.services import Services
from lamia_gql.api.turns import Turns
from lamia_gql.domain.retention import Retention
from lamia_gql.domain.settings import Settings
from lamia_gql.graph.schema import Schema, make_schema
from lamia_gql.graph.stored_operations import operation_names
from lamia_gql.graph.transport.http import GraphQLEndpoint
from lamia_gql.graph.transport.streams import OperationStreams
from lamia_gql.graph.transport.websocket import WebSocketEndpoint
from lamia_gql.ingest.outbox import Outbox
from lamia_gql.ingest.pruner import Pruner
from lamia_gql.ingest.purger import Purger
from lamia_gql.ingest.ranges import RangeKeeper
from lamia_gql.ingest.recorder import Recorder
from lamia_gql.ingest.silence import SilenceWatch
from lamia_gql.live.feeds import Feeds
from lamia_gql.live.live_connections import LiveConnections
from lamia_gql.live.pg_listener import PgListener
from lamia_gql.live.replica_watch import ReplicaWatch
from lamia_gql.live.subscription_limit import SubscriptionLimit
from lamia_gql.live.task_watches import TaskWatches
from lamia_gql.notification.deliverer import Deliverer
from lamia_gql.rest.routes import OPERATIONS, RestInterface
from lamia_gql.server.compression import Compression
from lamia_gql.server.connection_limits import ConnectionLimits
from lamia_gql.server.forwarded_headers import ForwardedHeaders
from lamia_gql.server.loop_delay import LoopDelay
from lamia_gql.server.memory import Memory
from lamia_gql.server.metrics import Metrics
from lamia_gql.server.metrics_endpoint import metrics
from lamia_gql.server.metrics_exchange import MetricsExchange, Worker
from lamia_gql.server.readiness import Readiness
from lamia_gql.server.replica_lag import ReplicaLag
from lamia_gql.server.request_guard import RequestGuard
from lamia_gql.server.request_log import RequestLog
from lamia_gql.server.session import session
from lamia_gql.server.static_pages import nothing_here, static_routes
from lamia_gql.server.tracing import start_tracing
from lamia_gql.storage.database import Database
from lamia_gql.storage.migrations import prepare

if TYPE_CHECKING:
    from lamia_gql.server.spans import Spans

ONLY_WORKER = Worker()


class State(TypedDict):
    """The state that the lifespan provides to every request."""

    services: Services
    readiness: Readiness
    metrics: MetricsExchange


class Application(Starlette):
    """Starlette, whose handling of errors is behind the middleware, around its routes only.

    The interfaces answer their errors themselves, in the middleware. What is left goes to Uvicorn,
    which answers 500 as well. There are no handlers of exceptions, and no debug mode.
    """

    def build_middleware_stack(self) -> ASGIApp:
        """What a request passes through."""
        app: ASGIApp = ServerErrorMiddleware(ExceptionMiddleware(self.router))
        for layer in reversed(self.user_middleware):
            app = layer.cls(app, *layer.args, **layer.kwargs)
        return app


class Resident(Protocol):
    """What works in the background for as long as the application lives."""

    async def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """End."""


def create_app(
    settings: Settings, worker: Worker = ONLY_WORKER, connections: ConnectionLimits | None = None
) -> Starlette:
    """Return the application; its lifespan opens and closes its resources.

    Startup migrates a SQLite file. It raises :class:`NotMigrated` if a PostgreSQL database is not
    at the revision of this version, and :class:`UnusableKeys` for unusable secret keys.

    Args:
        settings: the settings of the server.
        worker: the process in which it runs, among its siblings.
        connections: the connections of the process, for its metrics.
    """
    spans = start_tracing(os.environ)
    schema = make_schema(settings)
    streams = OperationStreams(schema)
    requests = RequestStatistics(
        [*operation_names(), *OPERATIONS],
        nullcontext if spans is None else spans.websocket_operation,
    )
    app = Application(
        routes=[
            WebSocketRoute("/graphql", WebSocketEndpoint(streams)),
            Route("/session", session, methods=["POST", "DELETE"]),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            *static_routes(),
        ],
        middleware=[
            *_middleware(settings, requests, spans),
            Middleware(GraphQLEndpoint, schema, streams),
        ],
        lifespan=_lifespan(settings, worker, connections, schema, streams, requests, spans),
    )
    # It would send the client to whatever `Host` says.
    app.router.redirect_slashes = False
    app.router.default = nothing_here
    return app


def _middleware(
    settings: Settings, requests: RequestStatistics, spans: Spans | None
) -> list[Middleware]:
    """What a request passes through before it is routed, in this order."""
    found = [Middleware(RequestLog, requests)]
    if spans is not None:
        found.append(Middleware(spans.trace_requests))
    found.append(Middleware(RequestGuard, settings))
    if settings.trusted_proxies:
        found.append(Middleware(ForwardedHeaders, settings))
    if settings.allowed_origins:
        found.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.allowed_origins,
                allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
                allow_headers=["Authorization", "Last-Event-ID", "Lamia-Position"],
                expose_headers=["Link", "X-Request-ID", "Lamia-Position"],
                # Pages of the internet need it to use a server of an internal network.
                allow_private_network=True,
            )
        )
    return [*found, Middleware(Compression), Middleware(RestInterface)]


def _lifespan(
    settings: Settings,
    worker: Worker,
    connections: ConnectionLimits | None,
    schema: Schema,
    streams: OperationStreams,
    requests: RequestStatistics,
    spans: Spans | None,
) -> Callable[[Starlette], AbstractAsyncContextManager[State]]:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[State]:
        async with AsyncExitStack() as running:
            if spans is not None:
                running.push_async_callback(spans.stop)
            database = running.enter_context(closing(Database(settings)))
            prepare(database.engine)
            outbox = Outbox(settings)
            recorder = Recorder(
                database,
                batch_size=settings.commit_batch,
                max_waiting=settings.max_waiting_events,
                outbox=outbox if outbox.is_used else None,
                trace=nullcontext if spans is None else spans.commit,
            )
            retention = Retention.of(settings)
            purger = Purger(database, retention.shortest)
            feeds = Feeds(database, settings.max_waiting_changes)
            tokens = TokenTable(database)
            web_tokens = WebTokens(settings.token_issuers, settings.role_rules)
            listener = PgListener(database, feeds, tokens.wake)
            loop_delay = LoopDelay()
            services = Services(
                settings,
                Authentication(settings, load_keys(settings), tokens, web_tokens),
                database,
                recorder,
                purger,
                feeds,
                LiveConnections(settings.max_connections_per_address),
                TaskWatches(
                    database, feeds, settings.max_waiting_changes, settings.snapshot_interval
                ),
                SubscriptionLimit(
                    settings.max_subscriptions_per_address, settings.max_subscription_bytes
                ),
                CostGate(settings.max_cost),
                AnswerMemory(settings.max_response_bytes // 2),
                Turns(),
                RequestTurns(),
                RateLimits(settings),
                requests,
            )
            replicas = ReplicaLag(database, is_first=worker.number == 0)
            own = Metrics(services, schema, streams, listener, loop_delay, replicas, connections)
            exchange = MetricsExchange(worker, own)
            readiness = Readiness(database)
            running.push_async_callback(readiness.stop)
            # They stop in the opposite order: first whatever the clients of the others are.
            residents: list[Resident] = [
                tokens,
                web_tokens,
                recorder,
                purger,
                SilenceWatch(database, outbox, settings),
                Deliverer(database, settings),
                RangeKeeper(database, retention),
                Pruner(database, retention, settings.prune_interval, purger),
                listener,
                ReplicaWatch(database),
                feeds,
                Memory(database.release_memory),
                loop_delay,
                exchange,
            ]
            for resident in residents:
                # Also one whose start fails half-way.
                running.push_async_callback(resident.stop)
                await resident.start()
            yield {"readiness": readiness, "services": services, "metrics": exchange}

    return lifespan


async def healthz(_request: Request) -> Response:
    """Answer 200: the process is alive."""
    return JSONResponse({"status": "ok", "version": __version__})


async def readyz(request: Request) -> Response:
    """Answer 200 if the server can read and write its database, else 503 with the reason."""
    readiness: Readiness = request.state.readiness
    problem = await readiness.problem()
    if problem is not None:
        return JSONResponse({"status": "unavailable", "reason": problem}, 503)
    return JSONResponse({"status": "ready"})

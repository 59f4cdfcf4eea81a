"""The spans of requests, operations and commits, which OpenTelemetry sends to a collector.

Names and attributes are those of its semantic conventions for HTTP and GraphQL. No span has the
text or the variables of an operation, the query of an address, or a header but the request's id.
OpenTelemetry's own middleware would send the query, in which GET has all of these.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPMethod

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanKind,
    StatusCode,
    get_current_span,
    set_span_in_context,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lamia_gql import __version__
from lamia_gql.api.current_request import CurrentRequest, current_request
from lamia_gql.api.request_statistics import EndedOperation
from lamia_gql.ingest.pending_events import Part

log = logging.getLogger(__name__)

UNTRACED = {"/healthz", "/readyz", "/metrics"}
"""What programs ask for every few seconds, and which tells nothing of clients."""
METHODS = frozenset(HTTPMethod)
OTHER_METHOD = "_OTHER"
"""Stands for every other method, by the conventions."""
TRACE_HEADERS = (b"traceparent", b"tracestate")
"""By the W3C's Trace Context."""
MAX_NAME_CHARACTERS = 200
"""How much of the name of an operation is sent; clients may give any."""
MAX_LINKS = 100
"""How many requests of a commit its span is linked to."""
LAST_SPANS_S = 2.0
"""How long the server waits for the last spans to be sent when it stops."""


class Spans:
    """Makes spans, and sends them from a thread of its own. Lives as long as the application.

    If the collector is slow or gone, spans are dropped, and nothing waits. The variables of the
    environment say where they go, which are sampled, and how many may wait. Raises ``ValueError``
    for values that can't be used.
    """

    def __init__(self) -> None:
        resource = Resource.create({SERVICE_VERSION: __version__})
        if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
            resource = resource.merge(Resource({SERVICE_NAME: "lamia-gql"}))
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("lamia_gql", __version__)
        self._propagator = TraceContextTextMapPropagator()

    async def stop(self) -> None:
        """Send the last spans, if the collector takes them in time."""
        # A daemon: a collector that does not answer would keep the process from ending.
        ending = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, LAST_SPANS_S)
        if ending.is_alive():
            log.warning("the collector has not taken the last traces within %g s", LAST_SPANS_S)

    def trace_requests(self, app: ASGIApp) -> ASGIApp:
        """The application with each HTTP request in a span, within which it is answered."""
        return TracedRequests(app, self)

    @contextmanager
    def request(self, scope: Scope) -> Iterator[Span]:
        """The span of an HTTP request, for the block that answers it."""
        carrier = {
            name.decode(): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in TRACE_HEADERS
        }
        method = scope["method"] if scope["method"] in METHODS else OTHER_METHOD
        span = self._tracer.start_span(
            method,
            context=self._propagator.extract(carrier),
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": method,
                "url.scheme": scope["scheme"],
                "url.path": scope["path"],
                "network.protocol.version": scope["http_version"],
            },
        )
        try:
            # An exception may have what a client has sent.
            with use_span(span, record_exception=False, set_status_on_exception=False):
                yield span
        except BaseException as error:
            _fail(span, type(error).__name__)
            raise
        finally:
            if span.is_recording():
                request = current_request.get()
                if request is not None:
                    _describe_request(span, method, scope["path"], request)
            span.end()

    @contextmanager
    def websocket_operation(self, ended: EndedOperation) -> Iterator[None]:
        """The span of an operation of a WebSocket; of a subscription, until that ends."""
        attributes = {"network.protocol.name": "websocket"}
        span = self._tracer.start_span(
            "GraphQL Operation", kind=SpanKind.SERVER, attributes=attributes
        )
        try:
            with use_span(span, record_exception=False, set_status_on_exception=False):
                yield
        finally:
            request = current_request.get()
            if span.is_recording() and request is not None:
                if request.operation_type is not None:
                    span.update_name(request.operation_type)
                _describe_operation(span, request)
                if ended.outcome == "failed":
                    _fail(span, ended.outcome)
            span.end()

    @contextmanager
    def commit(self, parts: Sequence[Part]) -> Iterator[None]:
        """The span of a transaction of events, below the first traced request that it is for.

        It is linked to the others.
        """
        of_parts = dict.fromkeys(part.request for part in parts)
        spans = (request.context.run(get_current_span) for request in of_parts)
        contexts = (span.get_span_context() for span in spans)
        requests = [context for context in contexts if context.trace_flags.sampled]
        if not requests:
            yield
            return
        first, *others = requests
        with self._tracer.start_as_current_span(
            "commit events",
            context=set_span_in_context(NonRecordingSpan(first)),
            attributes={
                "lamia.commit.events": sum(len(part.places) for part in parts),
                "lamia.commit.requests": len(of_parts),
            },
            links=[Link(other) for other in others[:MAX_LINKS]],
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except Exception as error:
                _fail(span, type(error).__name__)
                raise


class TracedRequests:
    """Puts each HTTP request into a span, within which it is answered.

    Args:
        app: the application.
        spans: makes the spans.
    """

    def __init__(self, app: ASGIApp, spans: Spans) -> None:
        self._app = app
        self._spans = spans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http" or scope["path"] in UNTRACED:
            await self._app(scope, receive, send)
            return
        with self._spans.request(scope) as span:

            async def send_noting(message: Message) -> None:
                if message["type"] == "http.response.start":
                    status = message["status"]
                    span.set_attribute("http.response.status_code", status)
                    if status >= 500:
                        _fail(span, str(status))
                await send(message)

            await self._app(scope, receive, send_noting)


def _describe_request(span: Span, method: str, path: str, request: CurrentRequest) -> None:
    route: str | None = None
    if path == "/graphql":
        route = path
        _describe_operation(span, request)
    elif request.operation is not None:
        # Of the REST interface.
        route = request.operation.partition(" ")[2]
    span.set_attribute("http.response.header.x-request-id", [request.id])
    if route is not None:
        span.set_attribute("http.route", route)
        span.update_name(f"{method} {route}")


def _describe_operation(span: Span, request: CurrentRequest) -> None:
    if request.operation_type is not None:
        span.set_attribute("graphql.operation.type", request.operation_type)
    if request.operation is not None:
        span.set_attribute("graphql.operation.name", request.operation[:MAX_NAME_CHARACTERS])


def _fail(span: Span, error_type: str) -> None:
    span.set_status(StatusCode.ERROR)
    span.set_attribute("error.type", error_type)

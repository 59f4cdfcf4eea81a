"""A collector of traces, which speaks OpenTelemetry's protocol over HTTP."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """A span, as a collector gets it."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    links: list[str]
    """The ids of the spans that it is linked to."""
    is_server: bool
    has_failed: bool
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]


class OtlpReceiver:
    """What it has received."""

    def __init__(self) -> None:
        self.spans: list[ReceivedSpan] = []
        self.raw = b""
        """All that was sent, encoded."""
        self.hangs = False
        """Whether it takes requests and does not answer."""
        self._stopped = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver._take(self)

            def log_message(self, *_arguments: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def named(self, name: str) -> list[ReceivedSpan]:
        """The spans with this name."""
        return [span for span in self.spans if span.name == name]

    def _take(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        if self.hangs:
            self._stopped.wait()
            return
        if handler.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        assert handler.path == "/v1/traces"
        self.raw += body
        request = ExportTraceServiceRequest.FromString(body)
        self.spans += [
            _received(span, _values(resource.resource.attributes))
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def stop(self) -> None:
        """End, with everything that hangs."""
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _received(span: Span, resource: Mapping[str, Any]) -> ReceivedSpan:
    return ReceivedSpan(
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        [link.span_id.hex() for link in span.links],
        span.kind == Span.SPAN_KIND_SERVER,
        span.status.code == Status.STATUS_CODE_ERROR,
        _values(span.attributes),
        resource,
    )


def _values(attributes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    attribute: KeyValue
    for attribute in attributes:
        found[attribute.key] = _value(attribute.value)
    return found


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    assert kind is not None
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind)


@contextmanager
def run_otlp_receiver() -> Iterator[OtlpReceiver]:
    """A collector for the duration of the block."""
    receiver = OtlpReceiver()
    try:
        yield receiver
    finally:
        receiver.stop()

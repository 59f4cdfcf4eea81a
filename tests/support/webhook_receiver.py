"""A receiver of webhooks, as unreliable as a test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from standardwebhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLwSwu4m3L0aYlJo="
HANG = 0
"""A reply that does not come."""


class WebhookReceiver:
    """What it has received: every request is checked for its signature and its CloudEvent.

    ``replies`` has the next statuses that it answers, or :data:`HANG`; without any, 204.
    """

    def __init__(self, port: int = 0) -> None:
        self.replies: list[int] = []
        self.before_reply: Callable[[], object] = lambda: None
        """Called before an answer is sent."""
        self._attempts: list[BaseCloudEvent] = []
        self._confirmed: list[str] = []
        self._problems: list[str] = []
        self.bodies: list[Any] = []
        """What was sent by others, without a signature, as JSON."""
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver._answer(self)

            def log_message(self, *_arguments: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hooks/secret-path"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def attempts(self) -> list[BaseCloudEvent]:
        """The events of all requests, confirmed or not."""
        with self._lock:
            assert self._problems == []
            return list(self._attempts)

    @property
    def confirmed(self) -> list[str]:
        """The ids that were answered 2xx."""
        with self._lock:
            return list(self._confirmed)

    def seen(self) -> list[tuple[str, str]]:
        """The task and the occasion of each request."""
        return [
            (str(event.get_subject()), event.get_type().rpartition(".")[2])
            for event in self.attempts
        ]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers["Content-Length"])
        body = handler.rfile.read(length)
        if len(body) < length:
            return  # its sender was killed
        headers = dict(handler.headers.items())
        if "webhook-id" not in headers:
            self.bodies.append(json.loads(body))
            _reply(handler, 200)
            return
        with self._lock:
            try:
                Webhook(SECRET).verify(body, headers)
                event = from_http_event(HTTPMessage(headers, body))
                assert event.get_id() == handler.headers["webhook-id"]
                self._attempts.append(event)
            except Exception as error:
                self._problems.append(repr(error))
            status = self.replies.pop(0) if self.replies else 204
        if status == HANG:
            self._stopped.wait()
            return
        self.before_reply()
        if 200 <= status < 300:
            with self._lock:
                self._confirmed.append(handler.headers["webhook-id"])
        _reply(handler, status)

    def start(self) -> None:
        """Begin to accept requests."""
        self._thread.start()

    def stop(self) -> None:
        """End, with everything that hangs."""
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _reply(handler: BaseHTTPRequestHandler, status: int) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", "0")
    if 300 <= status < 400:
        handler.send_header("Location", "/elsewhere")
    handler.end_headers()


@contextmanager
def run_webhook_receiver(port: int = 0) -> Iterator[WebhookReceiver]:
    """A receiver for the duration of the block."""
    receiver = WebhookReceiver(port)
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.stop()

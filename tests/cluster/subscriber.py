"""Somebody who wants every event of a task, wherever and however often he must connect."""

from __future__ import annotations

import json
import threading
import time
from typing import Any, Self

import websockets
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.support.live_clients import BEGINNING, EVENTS

RETRY_S = 0.1
POLL_S = 0.5


class Subscriber:
    """Receives the events of a task from its beginning, until the block ends.

    Args:
        url: the address of the balancer.
        task: the task.
    """

    def __init__(self, url: str, task: str) -> None:
        self._url = f"{url.replace('http', 'ws', 1)}/graphql"
        self._task = task
        self.received: list[str] = []
        """The ids of the events, as they came."""
        self.connections = 0
        self.server = -1
        """The number of the server that it is, or was last, connected to."""
        self._cursor = BEGINNING
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except (OSError, TimeoutError, websockets.WebSocketException):
                time.sleep(RETRY_S)

    def _follow(self) -> None:
        """Receive until the connection ends, or the subscription."""
        protocol = Subprotocol("graphql-transport-ws")
        with connect(self._url, subprotocols=[protocol], open_timeout=5, close_timeout=1) as ws:
            ws.send(json.dumps({"type": "connection_init"}))
            variables = {"task": self._task, "after": self._cursor}
            payload = {"query": EVENTS, "variables": variables}
            ws.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
            assert ws.response is not None
            self.server = int(ws.response.headers["X-Server"])
            self.connections += 1
            while not self._stopping.is_set():
                try:
                    message = json.loads(ws.recv(POLL_S))
                except TimeoutError:
                    continue
                if message["type"] in ("error", "complete") or not self._take(message):
                    time.sleep(RETRY_S)
                    return

    def _take(self, message: dict[str, Any]) -> bool:
        """Keep the event of a message; whether it was no error."""
        if message["type"] != "next":
            return True
        if "errors" in message["payload"]:
            return False
        edge = message["payload"]["data"]["events"]
        self.received.append(edge["node"]["uuid"])
        self._cursor = edge["cursor"]
        return True

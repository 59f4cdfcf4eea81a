"""Uvicorn's server, with bounds for its connections, which stops without failing a request."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING, Any

import uvicorn

from lamia_gql.server.connection_limits import CHECK_INTERVAL_S, ConnectionLimits
from lamia_gql.server.http_protocol import HttpProtocol
from lamia_gql.server.log_handler import sum_up_log
from lamia_gql.server.service_manager import ServiceManager
from lamia_gql.server.syn_filter import HANDSHAKE_S, drop_new_connections

if TYPE_CHECKING:
    from lamia_gql.api.services import Services
    from lamia_gql.server.readiness import Readiness

log = logging.getLogger(__name__)

TICK_S = 0.1
"""How often uvicorn's server calls ``on_tick``."""
IDLE_GRACE_S = 0.5
"""How long connections without a request are still served once no new ones are accepted.

A proxy may be sending a request on one of them, and would lose it if the connection were closed."""
LIVE_CONNECTION_GRACE_S = 4.0
"""How long live connections have to end when the server stops, before requests are waited for."""
REQUEST_GRACE_S = 8
"""How long running requests have to end after that."""
STOP_GRACE_S = LIVE_CONNECTION_GRACE_S + REQUEST_GRACE_S + 1.5
"""How long the process has to end after SIGTERM and ``drain_time``, before it ends itself."""
WORKER_GRACE_S = STOP_GRACE_S + 1.5
"""How long a worker process has to end after SIGTERM and ``drain_time``, before it is killed."""


class GracefulServer(uvicorn.Server):
    """A uvicorn server that bounds its connections, and stops in time without failing a request.

    It stops in four steps. It is not ready any more, and each answer ends its connection; so it
    goes on for ``drain_time_s``, in which proxies turn to other servers. It accepts no more
    connections, and ends the live ones, whose clients resume elsewhere. It waits for requests on
    connections that are open. It waits for the answers.

    Args:
        config: what uvicorn needs.
        limits: the connections.
        manager: the service manager, which is told how far it is.
        drain_time_s: how long it still accepts connections once it was told to stop.
        is_last: whether nobody else will accept connections on its sockets, when it stops.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        limits: ConnectionLimits,
        manager: ServiceManager,
        drain_time_s: float,
        is_last: Callable[[], bool],
    ) -> None:
        super().__init__(config)
        self._limits = limits
        self._manager = manager
        self._drain_time_s = drain_time_s
        self._is_last = is_last
        self._drained_at: float | None = None
        """When it has gone on for ``drain_time_s``; None until it was told to stop."""
        # An Event has a lock, which a second signal would wait for within the first one's handler.
        self._stop_signals: SimpleQueue[int] = SimpleQueue()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the application, accept connections, and say so."""
        await super().startup(sockets)
        self._manager.tell_ready()

    async def on_tick(self, counter: int) -> bool:
        """Check the deadlines of the connections; whether the server is to stop now."""
        self._manager.tell_alive()
        now = asyncio.get_running_loop().time()
        if counter % round(CHECK_INTERVAL_S / TICK_S) == 0:
            self._limits.check_deadlines(now)
        if not await super().on_tick(counter):
            return False
        return now >= self._drain(now) or self.force_exit

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        self._stop_signals.put(sig)
        super().handle_exit(sig, frame)

    def end_in_time(self) -> None:
        """Once told to stop, end the process after :data:`STOP_GRACE_S`, whatever it does.

        Else it would wait for every thread that reads, writes or parses, and for the event loop.
        What is not committed by then was not acknowledged, and the database rolls it back.
        """
        self._stop_signals.get()
        time.sleep(self._drain_time_s + STOP_GRACE_S)
        log.warning("stopping took longer than %g s: the process ends at once", STOP_GRACE_S)
        logging.shutdown()
        os._exit(0)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more connections, end the existing ones, and close the application."""
        loop = asyncio.get_running_loop()
        self._drain(loop.time())
        await self._stop_accepting(sockets or [])
        close_idle_at = loop.time() + IDLE_GRACE_S
        services: Services = self.lifespan.state["services"]
        # First: else a subscription that ends with its feed would look as if it had failed.
        services.live_connections.stopping.set()
        await services.feeds.stop()
        await services.live_connections.stop(LIVE_CONNECTION_GRACE_S)
        if self._limits.has_waiting and not self.force_exit:
            await asyncio.sleep(close_idle_at - loop.time())
        await super().shutdown(sockets)
        # A signal ends the process as soon as this is done.
        sum_up_log()

    def _drain(self, now: float) -> float:
        """Have clients turn to other servers; until when requests are accepted nevertheless."""
        if self._drained_at is None:
            self._drained_at = now + self._drain_time_s
            self._manager.tell_stopping()
            readiness: Readiness = self.lifespan.state["readiness"]
            readiness.turn_off()
            self._limits.end_with_answers = True
            for connection in self.server_state.connections:
                if isinstance(connection, HttpProtocol):
                    connection.end_with_answer()
        return self._drained_at

    async def _stop_accepting(self, listening: Sequence[socket.socket]) -> None:
        """Accept the connections that clients have opened, which would else be reset, and no more.

        If the server is the last one, none can come between both. Else nothing is awaited there, so
        that next to none can.
        """
        if self._is_last() and all(map(drop_new_connections, listening)):
            await asyncio.sleep(HANDSHAKE_S)
        accepted: list[socket.socket] = []
        for one in listening:
            with suppress(OSError):
                while len(accepted) < self.config.backlog:
                    accepted.append(one.accept()[0])
        for server in self.servers:
            server.close()
        for connection in accepted:
            connection.setblocking(False)
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> asyncio.Protocol:
        """What serves a connection, as uvicorn makes it."""
        made: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = made(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol

"""Serves the application on a port: from one process, or from several that share the port."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import sys
import threading
import time
from functools import partial
from multiprocessing import parent_process
from signal import SIGTERM
from types import FrameType
from typing import TYPE_CHECKING, Any

import click
import uvicorn

from lamia_gql.domain.settings import Settings
from lamia_gql.server.app import create_app
from lamia_gql.server.connection_limits import CHECK_INTERVAL_S, ConnectionLimits
from lamia_gql.server.http_protocol import HttpProtocol
from lamia_gql.server.supervisor import Supervisor
from lamia_gql.server.websocket_protocol import WEBSOCKET_LOG, WebSocketProtocol
from lamia_gql.storage.engine import create_engine, is_sqlite
from lamia_gql.storage.migrations import prepare

if TYPE_CHECKING:
    from lamia_gql.api.services import Services

log = logging.getLogger(__name__)

TICK_S = 0.1
"""How often uvicorn's server calls ``on_tick``."""
LIVE_CONNECTION_GRACE_S = 4.0
"""How long live connections have to end when the server stops, before requests are waited for."""
REQUEST_GRACE_S = 8
"""How long running requests have to end after that."""
STOP_GRACE_S = LIVE_CONNECTION_GRACE_S + REQUEST_GRACE_S + 1.5
"""How long the process has to end after SIGTERM, whatever it does, before it ends itself."""
WORKER_GRACE_S = STOP_GRACE_S + 1.5
"""How long a worker process has to end after SIGTERM, before it is killed."""
KEEP_ALIVE_S = 20
"""How long an idle connection is kept. Longer than by the usual Python clients (5 and 15 seconds),
which could else send a request while the server closes the connection. Shorter than the interval
of beats, so that a thousand jobs do not hold a thousand connections."""


class AddressUnavailable(OSError):  # noqa: N818  (named after the condition)
    """The server can't listen on the address."""


class TooManyWorkers(ValueError):  # noqa: N818  (named after the condition)
    """The database supports one server process only."""


class GracefulServer(uvicorn.Server):
    """A uvicorn server that bounds its connections, and stops in time.

    It ends live connections before it waits for requests.
    """

    def __init__(self, config: uvicorn.Config, limits: ConnectionLimits) -> None:
        super().__init__(config)
        self._limits = limits
        self._told_to_stop = threading.Event()

    async def on_tick(self, counter: int) -> bool:
        """Check the deadlines of the connections."""
        if counter % round(CHECK_INTERVAL_S / TICK_S) == 0:
            self._limits.check_deadlines(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        self._told_to_stop.set()
        super().handle_exit(sig, frame)

    def end_in_time(self) -> None:
        """Once told to stop, end the process after :data:`STOP_GRACE_S`, whatever it does.

        Else it would wait for every thread that reads, writes or parses, and for the event loop.
        What is not committed by then was not acknowledged, and the database rolls it back.
        """
        self._told_to_stop.wait()
        time.sleep(STOP_GRACE_S)
        log.warning("stopping took longer than %g s: the process ends at once", STOP_GRACE_S)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(0)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more connections, end the existing ones, and close the application."""
        for server in self.servers:
            server.close()
        services: Services = self.lifespan.state["services"]
        await services.feeds.stop()
        await services.live_connections.stop(LIVE_CONNECTION_GRACE_S)
        await super().shutdown(sockets)


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises, before it serves anything: :class:`AddressUnavailable`; :class:`TooManyWorkers` for
    several workers on SQLite; :class:`lamia_gql.storage.migrations.NotMigrated`; and SQLAlchemy's
    errors if the database is unavailable.
    """
    _set_up_logging(settings)
    engine = create_engine(settings)
    try:
        if settings.workers > 1 and is_sqlite(engine):
            raise TooManyWorkers(
                "More than one worker needs PostgreSQL, because SQLite can't notify other"
                " processes of changes. Set --database-url to a PostgreSQL address, or --workers to"
                " 1."
            )
        prepare(engine)
    finally:
        engine.dispose()
    with _open_socket(settings) as listening:
        host, port = listening.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        click.echo(f"lamia-gql serves GraphQL on http://{shown}:{port}/graphql", err=True)
        if settings.workers == 1:
            _serve(settings, listening)
        else:
            arguments = (settings, listening)
            Supervisor(settings.workers, _serve_as_worker, arguments, WORKER_GRACE_S).run()


def _serve_as_worker(settings: Settings, listening: socket.socket) -> None:
    """Serve as one of several processes, until the parent process ends."""
    parent = parent_process()
    assert parent is not None

    def stop_with_parent() -> None:
        parent.join()
        os.kill(os.getpid(), SIGTERM)

    threading.Thread(target=stop_with_parent, name="parent-watch", daemon=True).start()
    _set_up_logging(settings)
    _serve(settings, listening)


def make_server(settings: Settings) -> GracefulServer:
    """Return a server of the application with these settings; its ``run`` takes the sockets."""
    limits = ConnectionLimits(settings, open_files())
    # Uvicorn calls these as if they were the classes.
    http: Any = partial(HttpProtocol, limits)
    websocket: Any = partial(WebSocketProtocol, limits)
    config = uvicorn.Config(
        create_app(settings),
        log_level=settings.log_level,
        log_config=None,
        access_log=False,
        server_header=False,
        # Headers of trusted proxies are read by the application.
        proxy_headers=False,
        timeout_graceful_shutdown=REQUEST_GRACE_S,
        timeout_keep_alive=KEEP_ALIVE_S,
        lifespan="on",
        http=http,
        ws=websocket,
        ws_max_size=settings.max_message_bytes,
        # Compression takes 100 kB of memory per connection; a proxy can add it.
        ws_per_message_deflate=False,
    )
    return GracefulServer(config, limits)


def _serve(settings: Settings, listening: socket.socket) -> None:
    raise_file_limit()
    server = make_server(settings)
    # Started now: a signal handler must not start a thread. A daemon: nobody waits for it.
    threading.Thread(target=server.end_in_time, name="stop-deadline", daemon=True).start()
    server.run(sockets=[listening])


def _set_up_logging(settings: Settings) -> None:
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    if settings.log_level == "info":
        logging.getLogger(WEBSOCKET_LOG).setLevel(logging.WARNING)
    # At every start it logs the kind of the database, which the operator knows.
    logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)


def raise_file_limit() -> None:
    """Raise the limit of open files, which is also one of connections, as far as is allowed."""
    try:
        import resource
    except ImportError:  # not on Windows, which has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def open_files() -> int:
    """How many files this process may have open at once."""
    try:
        import resource
    except ImportError:  # not on Windows, whose limit is that of the C library
        return 8192
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def _open_socket(settings: Settings) -> socket.socket:
    host, port = settings.host, settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Else the system keeps the connections of vanished clients for a quarter of an hour.
            listening.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(1000 * settings.send_timeout)
            )
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        problem = (
            "is taken" if error.errno == errno.EADDRINUSE else f"can't be used: {error.strerror}"
        )
        raise AddressUnavailable(f"The address {host}:{port} {problem}.") from error
    return listening

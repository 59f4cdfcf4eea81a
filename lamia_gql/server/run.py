"""Running the application on a port: in one process, or in several that share the port."""

from __future__ import annotations

import errno
import logging
import os
import socket
import threading
from multiprocessing import parent_process
from signal import SIGTERM
from typing import TYPE_CHECKING

import click
import uvicorn

from lamia_gql.domain.settings import Settings
from lamia_gql.server.app import create_app
from lamia_gql.server.supervisor import Supervisor
from lamia_gql.server.uvicorn_protocols import HttpProtocol, WebSocketProtocol
from lamia_gql.storage.engine import create_engine, is_sqlite
from lamia_gql.storage.migrations import prepare

if TYPE_CHECKING:
    from lamia_gql.api.services import Services

GRACE = 8
"""Seconds that running requests have to end when the server is told to stop."""
KEEP_ALIVE = 20
"""Seconds that an idle connection is kept: longer than clients keep theirs, 5 and 15 for the usual
ones of Python, or they would send into one that is just being closed; shorter than between two
beats of a job, or a thousand jobs would hold a thousand."""
FAREWELL = 4.0
"""Seconds, before these, that live connections have to end."""


class AddressTaken(OSError):  # noqa: N818  (it says what is the case)
    """The address can't be listened on."""


class TooManyWorkers(ValueError):  # noqa: N818  (it says what is the case)
    """The database is for one process only."""


class Server(uvicorn.Server):
    """Uvicorn's server; when it is to stop, live connections are told so before all others."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, let those that are there end, and close the application."""
        for server in self.servers:
            server.close()
        services: Services = self.lifespan.state["services"]
        await services.feeds.stop()
        await services.live_connections.stop(FAREWELL)
        await super().shutdown(sockets)


def run(settings: Settings) -> None:
    """Serve until told to stop by SIGTERM or SIGINT.

    Raises :class:`AddressTaken`, :class:`TooManyWorkers` on SQLite,
    :class:`lamia_gql.storage.migrations.NotMigrated`, and what SQLAlchemy raises for a
    database that is not there, before anything is served.
    """
    _set_up_logging(settings)
    engine = create_engine(settings)
    try:
        if settings.workers > 1 and is_sqlite(engine):
            raise TooManyWorkers(
                "More than one worker needs PostgreSQL: SQLite has no way for them to hear each"
                " other. Set --database-url to a PostgreSQL, or leave --workers at 1."
            )
        prepare(engine)
    finally:
        engine.dispose()
    with _listen(settings) as listening:
        host, port = listening.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        click.echo(f"lamia-gql serves GraphQL on http://{shown}:{port}/graphql", err=True)
        if settings.workers == 1:
            _serve(settings, listening)
        else:
            Supervisor(settings.workers, _work, (settings, listening), GRACE + FAREWELL + 3).run()


def _work(settings: Settings, listening: socket.socket) -> None:
    """Serve as one process of several; without the parent there is no reason to go on."""
    parent = parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os.kill(os.getpid(), SIGTERM)

    threading.Thread(target=follow, name="parent", daemon=True).start()
    _set_up_logging(settings)
    _serve(settings, listening)


def make_server(settings: Settings) -> Server:
    """The application with these settings, ready to be served on a socket."""
    config = uvicorn.Config(
        create_app(settings),
        log_level=settings.log_level,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=KEEP_ALIVE,
        lifespan="on",
        http=HttpProtocol,
        ws=WebSocketProtocol,
        ws_max_size=settings.max_message_bytes,
        # Compression costs 100 kB a connection; who wants it has a proxy.
        ws_per_message_deflate=False,
    )
    return Server(config)


def _serve(settings: Settings, listening: socket.socket) -> None:
    raise_file_limit()
    make_server(settings).run(sockets=[listening])


def _set_up_logging(settings: Settings) -> None:
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # It tells at every start on which engine it runs, which we know.
    logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)


def raise_file_limit() -> None:
    """Let there be as many connections as the system allows, rather than a shell's 1,024."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _listen(settings: Settings) -> socket.socket:
    host, port = settings.host, settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Clients that vanish without a word are else kept for a quarter of an hour.
            listening.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(1000 * settings.send_timeout)
            )
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        what = "is taken" if error.errno == errno.EADDRINUSE else f"can't be used: {error.strerror}"
        raise AddressTaken(f"The address {host}:{port} {what}.") from error
    return listening

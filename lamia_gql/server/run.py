"""Serves the application on a port: from one process, or from several that share the port."""

from __future__ import annotations

import ipaddress
import logging
import os
import socket
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import partial
from multiprocessing import parent_process
from multiprocessing.synchronize import Event
from pathlib import Path
from signal import SIGTERM
from typing import Any

import click
import uvicorn

from lamia_gql.access.access_tokens import any_exist
from lamia_gql.access.secret_keys import load_keys
from lamia_gql.api.audit import AUDIT_LOG
from lamia_gql.domain.addresses import is_loopback
from lamia_gql.domain.settings import Settings
from lamia_gql.graph.schema import make_schema
from lamia_gql.server.app import ONLY_WORKER, create_app
from lamia_gql.server.connection_limits import ConnectionLimits
from lamia_gql.server.graceful_server import REQUEST_GRACE_S, WORKER_GRACE_S, GracefulServer
from lamia_gql.server.http_protocol import HttpProtocol
from lamia_gql.server.listening_socket import end_lost_connections, open_socket
from lamia_gql.server.log_format import FORMATTERS
from lamia_gql.server.log_handler import CondensingHandler
from lamia_gql.server.metrics_exchange import Worker, socket_folder
from lamia_gql.server.open_files import open_files, raise_file_limit
from lamia_gql.server.service_manager import ServiceManager, take_socket
from lamia_gql.server.supervisor import Supervisor
from lamia_gql.server.websocket_protocol import WEBSOCKET_LOG, WebSocketProtocol
from lamia_gql.storage.database_url import parse_url
from lamia_gql.storage.engine import create_engine, is_sqlite
from lamia_gql.storage.migrations import prepare
from lamia_gql.storage.sqlite_file import database_path, exclusive_use

log = logging.getLogger(__name__)

KEEP_ALIVE_S = 20
"""How long an idle connection is kept. Longer than by the usual Python clients (5 and 15 seconds),
which could else send a request while the server closes the connection. Shorter than the interval
of beats, so that a thousand jobs do not hold a thousand connections."""


class TooManyWorkers(ValueError):  # noqa: N818  (named after the condition)
    """The database supports one server process only."""


class NoCredentials(ValueError):  # noqa: N818  (named after the condition)
    """Everybody on the network could do everything, and nobody has agreed to that."""


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Where a service manager hands over a socket, its address takes the place of that in the
    settings.

    Raises, before it serves anything: :class:`AddressUnavailable`;
    :class:`lamia_gql.server.service_manager.UnusableSocket`; :class:`TooManyWorkers` for several
    workers on SQLite; :class:`NoCredentials` for an address that others can reach, without any
    credential; :class:`lamia_gql.access.secret_keys.UnusableKeys`;
    :class:`lamia_gql.graph.limits.persisted_documents.UnusableDocuments`;
    :class:`lamia_gql.storage.database_url.UnusableDatabase`; and SQLAlchemy's errors if the
    database is unavailable.
    """
    _set_up_logging(settings)
    manager = ServiceManager(os.environ)
    taken = take_socket(os.environ)
    if taken is not None:
        host, port = taken.getsockname()[:2]
        settings = settings.model_copy(update={"host": host, "port": port})
    engine = create_engine(settings)
    try:
        check_workers(settings)
        prepare(engine)
        load_keys(settings)
        check_documents(settings)
        if not settings.insecure:
            _require_credentials(settings, has_tokens=any_exist(engine))
    finally:
        engine.dispose()
    # Several servers share a PostgreSQL; there, each tells others by a lock of its own connection.
    alone = exclusive_use(engine.url) if is_sqlite(engine) else nullcontext()
    with alone, taken or open_socket(settings) as listening:
        end_lost_connections(listening, settings)
        introduction = _introduction(*listening.getsockname()[:2])
        if settings.log_format == "json":
            log.info(introduction)
        else:
            # A log that can't be written, on a full disk, is no reason not to serve.
            with suppress(OSError):
                click.echo(introduction, err=True)
        if settings.workers == 1:
            _serve(settings, listening, manager, ONLY_WORKER, is_last=lambda: taken is None)
        else:
            with socket_folder() as folder:
                arguments = (settings, listening, Path(folder), taken is None)
                grace_s = settings.drain_time + WORKER_GRACE_S
                supervisor = Supervisor(
                    settings.workers, _serve_as_worker, arguments, grace_s, manager
                )
                # Only the workers accept connections: nobody would answer those of this process.
                supervisor.run(when_stopping=listening.close)


def _require_credentials(settings: Settings, *, has_tokens: bool) -> None:
    """Raise :class:`NoCredentials` where others can reach a server that has no credentials."""
    has_others = settings.token_issuers or settings.proxy_user_header
    if has_tokens or has_others or is_loopback(settings.host):
        return
    raise NoCredentials(
        f"On {settings.host}, everybody on the network could change and delete all tasks. Create"
        " a credential first: lamia-gql token create --name NAME --role admin. Or agree by"
        " --insecure."
    )


def check_workers(settings: Settings) -> None:
    """Raise :class:`TooManyWorkers` if the database supports fewer than the settings say."""
    if settings.workers > 1 and database_path(parse_url(settings.database_url)) is not None:
        raise TooManyWorkers(
            "More than one worker needs PostgreSQL, because SQLite can't notify other processes of"
            " changes. Set --database-url to a PostgreSQL address, or --workers to 1."
        )


def check_documents(settings: Settings) -> None:
    """Raise :class:`UnusableDocuments` if there are persisted documents that could not be executed.

    Each worker reads them for itself, and can't tell the operator.
    """
    if settings.persisted_documents is not None:
        make_schema(settings)


def _introduction(host: str, port: int) -> str:
    """Where the server is, and who can reach it."""
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{port}"
    lines = [f"lamia-gql serves GraphQL on {address}/graphql"]
    found = ipaddress.ip_address(host)
    if found.is_unspecified:
        address = f"http://localhost:{port}"
        lines.append(
            f"  from elsewhere: http://{socket.gethostname()}:{port}, as LAMIA_URL of jobs"
        )
    lines += [
        f"  dashboard:      {address}/",
        f"  GraphiQL:       {address}/graphiql",
        f"  demo data:      lamia-gql demo --url {address}",
    ]
    if found.is_loopback:
        lines.append(
            "Only this machine can reach it. For jobs on others: --host 0.0.0.0, see"
            " docs/operation.md"
        )
    return "\n".join(lines)


def _serve_as_worker(
    number: int,
    all_stop: Event,
    settings: Settings,
    listening: socket.socket,
    folder: Path,
    is_own_socket: bool,
) -> None:
    """Serve as one of several processes, until the parent process ends."""
    parent = parent_process()
    assert parent is not None

    def stop_with_parent() -> None:
        parent.join()
        os.kill(os.getpid(), SIGTERM)

    threading.Thread(target=stop_with_parent, name="parent-watch", daemon=True).start()
    _set_up_logging(settings)
    manager = ServiceManager(os.environ, is_worker=True)

    def is_last() -> bool:
        return is_own_socket and all_stop.is_set()

    _serve(settings, listening, manager, Worker(number, settings.workers, folder), is_last)


def make_server(
    settings: Settings,
    manager: ServiceManager,
    worker: Worker,
    is_last: Callable[[], bool],
) -> GracefulServer:
    """Return a server of the application with these settings; its ``run`` takes the sockets.

    ``is_last`` is as for :class:`GracefulServer`.
    """
    limits = ConnectionLimits(settings, open_files())
    # Uvicorn calls these as if they were the classes.
    http: Any = partial(HttpProtocol, limits)
    websocket: Any = partial(WebSocketProtocol, limits)
    config = uvicorn.Config(
        create_app(settings, worker, limits),
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
    return GracefulServer(config, limits, manager, settings.drain_time, is_last)


def _serve(
    settings: Settings,
    listening: socket.socket,
    manager: ServiceManager,
    worker: Worker,
    is_last: Callable[[], bool],
) -> None:
    raise_file_limit()
    server = make_server(settings, manager, worker, is_last)
    # Started now: a signal handler must not start a thread. A daemon: nobody waits for it.
    threading.Thread(target=server.end_in_time, name="stop-deadline", daemon=True).start()
    server.run(sockets=[listening])


def _set_up_logging(settings: Settings) -> None:
    handler = CondensingHandler()
    handler.setFormatter(FORMATTERS[settings.log_format]())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
    logging.getLogger(AUDIT_LOG).setLevel(logging.INFO)
    if settings.log_level == "info":
        logging.getLogger(WEBSOCKET_LOG).setLevel(logging.WARNING)
    # At every start it logs the kind of the database, which the operator knows.
    logging.getLogger("alembic").setLevel(logging.WARNING)

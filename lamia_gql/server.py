"""Running the application on a port."""

from __future__ import annotations

import errno
import logging
import socket

import click
import uvicorn

from lamia_gql.app import create_app
from lamia_gql.database import create_engine
from lamia_gql.migrations import prepare
from lamia_gql.settings import Settings

GRACE = 10
"""Seconds that running requests have to end when the server is told to stop."""


class AddressTaken(OSError):  # noqa: N818  (it says what is the case)
    """The address can't be listened on."""


def run(settings: Settings) -> None:
    """Serve until told to stop by SIGTERM or SIGINT.

    Raises :class:`AddressTaken`, :class:`lamia_gql.migrations.NotMigrated`, and what SQLAlchemy
    raises for a database that is not there, before anything is served.
    """
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # It tells at every start on which engine it runs, which we know.
    logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)
    engine = create_engine(settings)
    try:
        prepare(engine)
    finally:
        engine.dispose()
    with _listen(settings.host, settings.port) as listening:
        config = uvicorn.Config(
            create_app(settings),
            log_level=settings.log_level,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE,
            lifespan="on",
            ws="websockets-sansio",
        )
        host, port = listening.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        click.echo(f"lamia-gql serves GraphQL on http://{shown}:{port}/graphql", err=True)
        uvicorn.Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        what = "is taken" if error.errno == errno.EADDRINUSE else f"can't be used: {error.strerror}"
        raise AddressTaken(f"The address {host}:{port} {what}.") from error
    return listening

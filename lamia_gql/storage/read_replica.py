"""A replica of a PostgreSQL from which queries may be read."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from sqlalchemy import Engine
from sqlalchemy.engine import URL

from lamia_gql.domain.settings import Settings
from lamia_gql.storage.database_url import DatabaseURLError, parse_url
from lamia_gql.storage.engine import REPLICA_TIMEOUT_S, create_read_engine
from lamia_gql.storage.lookups import Lookups
from lamia_gql.storage.read_position import Position
from lamia_gql.storage.readers import Readers

LOOKUPS = 2
"""How many transactions with lookups run at once: one waits for PostgreSQL while another one makes
answers."""


class ReadSource(NamedTuple):
    """One database that is read."""

    readers: Readers
    lookups: Lookups


class ReadReplica:
    """A replica, and what is known of it.

    Args:
        name: its host and port.
        engine: for connections to it.
        source: how it is read.
    """

    def __init__(self, name: str, engine: Engine, source: ReadSource) -> None:
        self.name = name
        self.engine = engine
        self.source = source
        self.reads = 0
        """How many queries it was chosen for."""
        self.position: Position | None = None
        """What it has replayed; None while it does not answer, or is not a replica."""
        self.asked = asyncio.Event()
        """Set when somebody waits for its position."""
        self.started_at: float | None = None
        """When it was started, in seconds since 1970; None before its first answer."""
        self.is_ahead = False
        """Whether it had more than the primary since then: it follows another one."""


def connect_replicas(settings: Settings) -> list[ReadReplica]:
    """The replicas that the settings name. Nothing is connected yet.

    Raises :class:`DatabaseURLError` for an address that can't be used, and on SQLite.
    """
    return [_connect(settings, url) for url in replica_urls(settings)]


def replica_urls(settings: Settings) -> list[URL]:
    """The addresses of the replicas. Raises as :func:`connect_replicas`."""
    urls = [parse_url(text, "Each read_database_url") for text in settings.read_database_url]
    databases = [parse_url(settings.database_url), *urls] if urls else []
    if any(url.get_backend_name() == "sqlite" for url in databases):
        raise DatabaseURLError(
            "Only PostgreSQL has replicas: read_database_url and database_url must both be of it."
        )
    return urls


def _connect(settings: Settings, url: URL) -> ReadReplica:
    host, port = url.host or url.query.get("host"), url.port or url.query.get("port")
    name = f"{host or 'localhost'}:{port or 5432}"
    engine = create_read_engine(settings, url)
    readers = Readers(
        engine,
        settings.database_connections,
        min(REPLICA_TIMEOUT_S, settings.database_timeout),
        settings.max_read_time,
        name,
    )
    return ReadReplica(name, engine, ReadSource(readers, Lookups(readers, LOOKUPS)))

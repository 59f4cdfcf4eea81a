"""Connections to PostgreSQL that are not of a pool: one task of the event loop has each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine
from sqlalchemy.engine import URL

from lamia_gql.storage.postgres_connection import ENCODING, connect_arguments

if TYPE_CHECKING:
    from psycopg import AsyncConnection


async def connect(engine: Engine, url: URL, timeout_s: float, name: str) -> AsyncConnection[Any]:
    """Open a connection, on which each statement is a transaction of its own.

    Raises ``psycopg.Error``.

    Args:
        engine: one of the same driver.
        url: the address of the database; what it says takes precedence.
        timeout_s: how long the database may take to accept it, and be silent; in seconds.
        name: how PostgreSQL shows it.
    """
    from psycopg import AsyncConnection

    arguments, given = engine.dialect.create_connect_args(url)
    options = {
        **connect_arguments(url, timeout_s, {}, {}),
        "application_name": name,
        # What is prepared would be lost behind a pooler.
        "prepare_threshold": None,
    }
    return await AsyncConnection.connect(
        *arguments, autocommit=True, **{**options, **given, **ENCODING}
    )

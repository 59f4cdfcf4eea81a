"""Functions of a test in place of those of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg


@contextmanager
def own_functions_first(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a database where functions take the place of PostgreSQL's own."""
    user = url.partition("//")[2].partition("@")[0]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            f'ALTER ROLE {user} IN DATABASE "{connection.info.dbname}"'
            " SET search_path = public, pg_catalog".encode()
        )
        yield connection


def turn_back_clock(connection: psycopg.Connection[Any], by: str) -> None:
    """Set the clock of the database back, on a connection of :func:`own_functions_first`."""
    connection.execute(
        "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql"
        f" AS $$ SELECT pg_catalog.clock_timestamp() - interval '{by}' $$".encode()
    )

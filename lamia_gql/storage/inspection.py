"""What a check of the installation asks the database."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, func, select, text

from lamia_gql.storage.models import Task
from lamia_gql.storage.read_position import READ_COMMITTED_POSITION, READ_REPLICA, Position

READ_IDENTITY = text(
    "SELECT system_identifier, pg_postmaster_start_time() FROM pg_control_system()"
)


class Clocks(NamedTuple):
    """The database's clock, compared with that of this machine."""

    ahead: timedelta
    """By how much it is ahead; zero for SQLite, which uses that of this machine."""
    uncertainty: timedelta
    """How long the answer took."""
    latest: datetime | None
    """When the latest task was received, by the clock of its server; None without tasks."""


class Node(NamedTuple):
    """Which PostgreSQL server a connection has reached."""

    system: int
    """The identifier that a server and all its copies share."""
    started_at: datetime
    """When it was started: no two of them at the same time."""
    replayed: Position | None
    """What it has replayed, if it is a replica."""


def read_node(connection: Connection) -> Node:
    """The PostgreSQL server of a connection."""
    [system, started_at] = connection.execute(READ_IDENTITY).one()
    return Node(system, started_at, connection.execute(text(READ_REPLICA)).scalar())


def read_committed(connection: Connection) -> Position:
    """What is committed on a primary."""
    position: Position = connection.execute(text(READ_COMMITTED_POSITION)).scalar_one()
    return position


def name_server(connection: Connection) -> str:
    """The engine and its version."""
    name = "SQLite" if connection.dialect.name == "sqlite" else "PostgreSQL"
    version = connection.dialect.server_version_info or ()
    return f"{name} {'.'.join(map(str, version))}"


def compare_clocks(connection: Connection, *, with_tasks: bool) -> Clocks:
    """Compare the clocks; ``with_tasks`` where the tables are there."""
    ahead = uncertainty = timedelta()
    if connection.dialect.name != "sqlite":
        begin = time.monotonic()
        there = connection.scalar(text("SELECT clock_timestamp()"))
        uncertainty = timedelta(seconds=time.monotonic() - begin)
        assert there is not None
        ahead = there - (datetime.now(UTC) - uncertainty / 2)
    latest = connection.scalar(select(func.max(Task.received_at))) if with_tasks else None
    return Clocks(ahead, uncertainty, latest)

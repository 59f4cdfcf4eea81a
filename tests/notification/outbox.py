"""What is in the outbox of a server."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import psycopg

from tests.support.harness import Server

COUNT = "SELECT count(*) FROM notification"


def waiting(server: Server) -> int:
    """The number of notifications that wait for their delivery."""
    # The drivers themselves: tests ask again and again, and an engine takes longer to make.
    url = server.database_url
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
            [number] = file.execute(COUNT).fetchone()
    else:
        with psycopg.connect(url) as connection:
            [number] = connection.execute(COUNT).fetchone() or (0,)
    return int(number)


def end_tasks(server: Server, names: list[str], **fields: object) -> None:
    """Create tasks of one job each, which succeed at once."""
    for name in names:
        server.create(name, {"name": "p"}, **fields)
    server.submit_many([{"task": name, "process": "p", "eventClass": "DONE"} for name in names])

"""PostgreSQL's partitions: ranges of the ids of tasks, which have tables of their own.

The ids of tasks rise with time. From time to time they jump to the begin of the next range, so that
the tasks of one time share a range, and its bounds are known before it has any task. To drop the
jobs, events and samples of a range takes milliseconds, however many there are; to delete the rows
takes hours, and their space can be used only after a vacuum. SQLite has no partitions.

A new partition is not analyzed: PostgreSQL then takes it for one of ten pages, and finds rows by
their keys. By the statistics of an empty one it would read it whole, also once it is full.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select, text

from lamia_gql.storage.models import Event, Job, Sample, Task
from lamia_gql.storage.transaction import ReadConnection

WIDTH = 2**24
"""So many ids are a range; ``alembic/versions/2026_11_28_partitions.py`` has it, too."""
PARTITIONED = (Event.__tablename__, Job.__tablename__, Sample.__tablename__)
"""The tables."""
MAX_LOCK_WAIT_MS = 50
"""How long a change of the ranges may wait for a lock for which others wait behind it."""
_NAMED = re.compile(r"_r(\d+)$")
_BOUNDS = re.compile(r"FROM \((?:MINVALUE|'(\d+)')\) TO \('(\d+)'\)")


class IdRange(NamedTuple):
    """A range of the ids of tasks."""

    number: int
    """It is in the names of its partitions."""
    begin: int
    end: int
    """The first id behind it."""

    def partition(self, table: str) -> str:
        """The name of the partition of a table."""
        return f"{table}_r{self.number}"


class IdRanges(NamedTuple):
    """The ranges that there are."""

    ended: list[IdRange]
    """Those that get no new tasks, oldest first."""
    current: IdRange
    """The one that new tasks are in, or the last one if its ids have ended."""
    last_id: int
    """The last id that was given to a task, or the next one if none was in this range."""
    ahead: list[IdRange]
    """Those that follow."""


def read_ranges(connection: ReadConnection) -> IdRanges:
    """The ranges of a PostgreSQL."""
    found = connection.execute(
        text(
            "SELECT DISTINCT relname, pg_get_expr(relpartbound, oid) FROM pg_class"
            " JOIN pg_inherits ON inhrelid = oid"
            " WHERE inhparent = ANY (CAST(:tables AS regclass[]))"
        ),
        {"tables": list(PARTITIONED)},
    )
    # PostgreSQL knows the bounds of no partition that is dropped meanwhile.
    ranges = sorted({_parse(name, bounds) for name, bounds in found if bounds is not None})
    last_id = connection.scalar(text("SELECT last_value FROM task_id_seq")) or 0
    begun = [known for known in ranges if known.begin <= last_id]
    return IdRanges(begun[:-1], begun[-1], last_id, ranges[len(begun) :])


def comparison(connection: Connection) -> dict[str, Any]:
    """Alembic's options by which it does not take the partitions of a database for unknown tables.

    Nor does it miss the foreign keys that only SQLite has.
    """
    if connection.dialect.name == "sqlite":
        return {}
    return {
        "include_name": lambda name, kind, _: kind != "table" or not _NAMED.search(name),
        "include_object": lambda element, _name, kind, *_: (
            kind != "foreign_key_constraint" or element.table.name not in PARTITIONED
        ),
    }


def _parse(name: str, bounds: str) -> IdRange:
    number, parsed = _NAMED.search(name), _BOUNDS.search(bounds)
    if number is None or parsed is None:
        raise ValueError(f"{name} is not a partition that this program has made: {bounds}")
    begin, end = parsed.groups(default="0")
    return IdRange(int(number[1]), int(begin), int(end))


def add_range(connection: Connection, begin: int) -> IdRange:
    """Make the partitions of the range that begins with this id. Nobody waits for it."""
    new = IdRange(begin // WIDTH, begin, begin + WIDTH)
    for table in PARTITIONED:
        partition = new.partition(table)
        # Made as a partition, it would lock the table for all others.
        connection.execute(text(f"CREATE TABLE {partition} (LIKE {table} INCLUDING ALL)"))
        connection.execute(
            text(
                f"ALTER TABLE {table} ATTACH PARTITION {partition}"
                f" FOR VALUES FROM ({new.begin}) TO ({new.end})"
            )
        )
    return new


def move_ids(connection: Connection, to: IdRange) -> None:
    """Let the ids of new tasks go on with those of a range ahead. Call :func:`lock_ids` before."""
    connection.execute(text("SELECT setval('task_id_seq', :begin, false)"), {"begin": to.begin})


def limit_lock_wait(connection: Connection) -> None:
    """Have the transaction wait only briefly for each lock, as others would have to wait meanwhile.

    Then PostgreSQL's lock_not_available is raised, and it should be tried again later.
    """
    connection.execute(text(f"SET LOCAL lock_timeout = {MAX_LOCK_WAIT_MS}"))


def lock_ids(connection: Connection) -> None:
    """Wait until all tasks that have an id are committed, and keep others from getting one.

    Call :func:`limit_lock_wait` before.
    """
    # A sequence can't be locked but by a change, even one that changes nothing. After it, its
    # numbers belong to the transaction: a rollback takes back a move, too.
    connection.execute(text("ALTER SEQUENCE task_id_seq NO CYCLE"))


def has_tasks(connection: ReadConnection, of: IdRange) -> bool:
    """Whether any task of a range is not deleted."""
    return (
        connection.scalar(
            select(Task.id)
            .where(Task.deleted_at.is_(None), Task.id >= of.begin, Task.id < of.end)
            .limit(1)
        )
        is not None
    )


def drop_partition(connection: Connection, table: str, of: IdRange) -> bool:
    """Drop the partition of a range that has ended; False if it has tasks that are not deleted.

    Its wait for locks is limited: see :func:`limit_lock_wait`.
    """
    partition = of.partition(table)
    if connection.scalar(select(func.to_regclass(partition))) is None:
        return True
    # Nobody waits behind this lock. It ends an autovacuum, which takes a second.
    connection.execute(text(f"LOCK TABLE {partition} IN SHARE UPDATE EXCLUSIVE MODE"))
    limit_lock_wait(connection)
    lock_ids(connection)
    if has_tasks(connection, of):
        return False
    connection.execute(text(f"DROP TABLE {partition}"))
    return True

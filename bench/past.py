"""Databases with millions of events, which are filled once and kept.

One task is filled through a server. Its rows are then copied, each time for another task, so that
they are what the server would have stored. Where there are several ranges (see
``lamia_gql/storage/partitions.py``), the others are copies of the first one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    MetaData,
    Table,
    Text,
    delete,
    func,
    insert,
    literal,
    select,
    text,
)

from bench.databases import Databases, migrate_to_head
from bench.events import create, submit
from bench.server import serving
from lamia_gql.domain.settings import load
from lamia_gql.storage.base import Base
from lamia_gql.storage.engine import begin_write, create_engine
from lamia_gql.storage.models import Event, Task
from lamia_gql.storage.partitions import PARTITIONED, WIDTH, IdRange

ARRAYS, JOBS = 5, 1_000
CLASSES = ("SUBMITTED", "STARTED", "READY", *["PROGRESS"] * 6)
"""The events of a job before the last one."""
EVENTS = ARRAYS * JOBS * (len(CLASSES) + 1)
"""The events of a task."""
TASKS = cast(Table, Task.__table__)


def past(databases: Databases, tasks: int, ranges: int = 1) -> str:
    """The address of a database with tasks of 5,000 jobs and 50,000 events.

    It is filled if it does not exist, and migrated; what else an earlier run has left in it is
    removed.

    Args:
        databases: where it is.
        tasks: how many tasks are in a range.
        ranges: how many ranges there are, which only PostgreSQL has; new tasks are in the last one.
    """
    known = f"past_{tasks * ranges * EVENTS}_events"
    if ranges > 1:
        known += f"_{ranges}_ranges"
    if known not in databases.names():
        print(f"Filling {databases.url(known)}: takes minutes, once …", flush=True)
        with databases.temporary() as new:
            _fill(databases.url(new), tasks, ranges)
            databases.rename(new, known)
    url = databases.url(known)
    migrate_to_head(url)
    _restore(url, last=(ranges - 1) * WIDTH + tasks)
    return url


def _fill(url: str, tasks: int, ranges: int) -> None:
    with serving(url) as server:
        arrays = [{"name": f"p{number}", "jobCount": JOBS} for number in range(ARRAYS)]
        create(server.url, "past-1", *arrays)
        submit(server.url, list(_events()))
    engine = create_engine(load(database_url=url))
    for task in range(2, tasks + 1):
        with begin_write(engine) as connection:
            _copy_task(connection, task)
    for number in range(1, ranges):
        with begin_write(engine) as connection:
            _copy_range(connection, IdRange(number, number * WIDTH, (number + 1) * WIDTH))
    with begin_write(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT setval('task_id_seq', max(id)) FROM task"))
        stored = connection.scalar(select(func.count()).select_from(Event))
        assert stored == tasks * ranges * EVENTS
    _vacuum(engine)
    engine.dispose()


def _events() -> Iterator[dict[str, Any]]:
    """The events of a task, of all jobs in turn: nearly all end, a few without success."""
    for step in range(len(CLASSES) + 1):
        for number in range(ARRAYS * JOBS):
            ending = "BEAT" if number % 20 == 7 else "FAILED" if number % 50 == 3 else "DONE"
            event_class = [*CLASSES, ending][step]
            yield {
                "task": "past-1",
                "process": f"p{number % ARRAYS}",
                "index": number // ARRAYS,
                "eventClass": event_class,
                "progress": 15 * (step - 2) if event_class == "PROGRESS" else None,
                "sentAt": f"2026-01-{step + 1:02}T{number // 300:02}:{number // 5 % 60:02}:00Z",
                "hostname": f"node{number % 400:03}.example.org",
            }


def _copy_task(connection: Connection, task: int) -> None:
    """Copy the first task."""
    for table, key in _tables():
        _copy(connection, table, table, key == 1, task - 1)


def _copy_range(connection: Connection, to: IdRange) -> None:
    """Copy the first range; the indexes of the new partitions are made when these are full."""
    connection.execute(text("SET LOCAL maintenance_work_mem = '256MB'"))
    for table, key in _tables():
        target = table
        if table.name in PARTITIONED:
            target = table.to_metadata(MetaData(), name=to.partition(table.name))
            connection.execute(
                text(
                    f"CREATE TABLE {target.name}"
                    f" (LIKE {table.name} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"
                )
            )
        _copy(connection, table, target, key < WIDTH, to.begin)
        if target is not table:
            connection.execute(
                text(
                    f"ALTER TABLE {table.name} ATTACH PARTITION {target.name}"
                    f" FOR VALUES FROM ({to.begin}) TO ({to.end})"
                )
            )


def _copy(
    connection: Connection, table: Table, target: Table, copied: ColumnElement[bool], shift: int
) -> None:
    """Copy rows of tasks for other ones, whose ids are greater by ``shift``.

    No constraint that the rows obey is broken by those of other tasks.
    """
    if connection.dialect.name == "postgresql":
        # It would look for the process of each event.
        connection.execute(text("SET LOCAL session_replication_role = replica"))
    key = _key(table)
    values: dict[str, Any] = {column.name: column for column in table.columns}
    values[key.name] = key + shift
    if table is TASKS:
        values["name"] = literal("past-") + (key + shift).cast(Text)
    found = select(*values.values()).where(copied)
    connection.execute(insert(target).from_select(list(values), found))


def _tables() -> list[tuple[Table, Column[int]]]:
    """The tables with rows of tasks, those before others that refer to them, and the task's id."""
    tables = [table for table in Base.metadata.sorted_tables if "task_id" in table.c]
    return [(table, _key(table)) for table in (TASKS, *tables)]


def _key(table: Table) -> Column[int]:
    return table.c.id if table is TASKS else table.c.task_id


def _restore(url: str, last: int) -> None:
    """Remove all tasks that do not belong to the past, whose last one has this id."""
    engine = create_engine(load(database_url=url))
    with begin_write(engine) as connection:
        found = connection.scalar(select(func.count()).where(Task.id > last))
        if found:
            for table, key in reversed(_tables()):
                connection.execute(delete(table).where(key > last))
    if found:
        _vacuum(engine)
    engine.dispose()


def _vacuum(engine: Engine) -> None:
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            # A connection comes with a transaction, in which there is no VACUUM.
            driver: Any = connection.connection.driver_connection
            driver.rollback()
            driver.autocommit = True
            driver.execute("VACUUM ANALYZE")
            driver.autocommit = False

"""Databases with millions of events, which are filled once and kept.

One task is filled through a server. Its rows are then copied, each time for another task, so that
they are what the server would have stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, func, insert, literal, select, text

from bench.databases import Databases, migrate_to_head
from bench.events import create, submit
from bench.server import serving
from lamia_gql.domain.settings import load
from lamia_gql.storage.base import Base
from lamia_gql.storage.engine import begin_write, create_engine
from lamia_gql.storage.models import Event, Task

ARRAYS, JOBS = 5, 1_000
CLASSES = ("SUBMITTED", "STARTED", "READY", *["PROGRESS"] * 6)
"""The events of a job before the last one."""
EVENTS = ARRAYS * JOBS * (len(CLASSES) + 1)
"""The events of a task."""


def name(tasks: int) -> str:
    """The name of the database with so many tasks."""
    return f"past_{tasks * EVENTS}_events"


def past(databases: Databases, tasks: int) -> str:
    """The address of a database with so many tasks of 5,000 jobs and 50,000 events.

    It is filled if it does not exist, and migrated; what else an earlier run has left in it is
    removed.
    """
    known = name(tasks)
    if known not in databases.names():
        print(f"Filling {databases.url(known)}: takes minutes, once …", flush=True)
        with databases.temporary() as new:
            _fill(databases.url(new), tasks)
            databases.rename(new, known)
    url = databases.url(known)
    migrate_to_head(url)
    _restore(url, tasks)
    return url


def _fill(url: str, tasks: int) -> None:
    with serving(url) as server:
        arrays = [{"name": f"p{number}", "jobCount": JOBS} for number in range(ARRAYS)]
        create(server.url, "past-1", *arrays)
        submit(server.url, list(_events()))
    engine = create_engine(load(database_url=url))
    for task in range(2, tasks + 1):
        with begin_write(engine) as connection:
            _copy(connection, task)
    with begin_write(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT setval('task_id_seq', max(id)) FROM task"))
        assert connection.scalar(select(func.count()).select_from(Event)) == tasks * EVENTS
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


def _copy(connection: Connection, task: int) -> None:
    """Copy the first task; no constraint that its rows obey is broken by those of another task."""
    if connection.dialect.name == "postgresql":
        # It would look for the process of each event.
        connection.execute(text("SET LOCAL session_replication_role = replica"))
    for table in Base.metadata.sorted_tables:
        key = _key(table)
        if key is None:
            continue
        values = {column.name: column for column in table.columns} | {key: literal(task)}
        if table is Task.__table__:
            values["name"] = literal(f"past-{task}")
        found = select(*values.values()).where(table.c[key] == 1)
        connection.execute(insert(table).from_select(list(values), found))


def _key(table: Table) -> str | None:
    """The column with the id of the task; None for a table that has nothing to do with tasks."""
    if table is Task.__table__:
        return "id"
    return "task_id" if "task_id" in table.c else None


def _restore(url: str, tasks: int) -> None:
    """Remove all tasks that do not belong to the past."""
    engine = create_engine(load(database_url=url))
    with begin_write(engine) as connection:
        found = connection.scalar(select(func.count()).where(Task.id > tasks))
        for table in reversed(Base.metadata.sorted_tables):
            if found and (key := _key(table)) is not None:
                connection.execute(delete(table).where(table.c[key] > tasks))
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

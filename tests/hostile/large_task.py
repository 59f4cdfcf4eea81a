"""A task of any size, written into the database of a running server without sending events."""

from __future__ import annotations

from sqlalchemy import Engine, text

from lamia_gql.domain.lifecycle import EventClass
from lamia_gql.domain.settings import load
from lamia_gql.storage.engine import create_engine
from lamia_gql.storage.rows import class_mask
from tests.support.harness import Server

AT = "'2026-11-23 12:00:00'"
BEAT_INTERVAL_S = 60


def fill(server: Server, name: str, jobs: int, events: int) -> None:
    """Create a task with an array ``p`` of jobs that run and are LOST.

    The first event of each job is STARTED, all others are BEAT.
    """
    server.create(name, {"name": "p", "jobCount": jobs, "beatInterval": BEAT_INTERVAL_S})
    engine = create_engine(load(database_url=server.database_url))
    new_id = _random_id(engine)
    mask = class_mask((EventClass.STARTED, EventClass.BEAT))
    with engine.begin() as connection:
        task_id = connection.scalar(text("SELECT id FROM task WHERE name = :name"), {"name": name})
        for statement in (
            "INSERT INTO job (task_id, process_number, job_index, state, events, starts, reported,"
            " opened_attempt, opened_at, started_attempt, started_at, alive_attempt, alive_at,"
            " seen_attempt, seen_at, seen_id, seen_class)"
            f" SELECT {task_id}, 0, n, 'RUNNING', {events // jobs}, 1, {_false(engine)}, 0, {AT},"
            f" 0, {AT}, 0, {AT}, 0, {AT}, {new_id}, 'BEAT' FROM ({_series(engine, jobs)}) AS s",
            "INSERT INTO event (task_id, seq, id, process_number, job_index, event_class, attempt,"
            f" received_at) SELECT {task_id}, n + 1, {new_id}, 0, n % {jobs},"
            f" CASE WHEN n < {jobs} THEN 'STARTED' ELSE 'BEAT' END, 0, {AT}"
            f" FROM ({_series(engine, events)}) AS s",
            f"UPDATE task SET last_seq = {events}, events = {events}, state = 'RUNNING'"
            f" WHERE id = {task_id}",
            f"UPDATE process SET running = {jobs}, events = {events}, event_classes = {mask},"
            f" state = 'RUNNING' WHERE task_id = {task_id}",
        ):
            connection.execute(text(statement))
    engine.dispose()


def _false(engine: Engine) -> str:
    return "false" if engine.dialect.name == "postgresql" else "0"


def _random_id(engine: Engine) -> str:
    if engine.dialect.name == "postgresql":
        return "gen_random_uuid()"
    return "lower(hex(randomblob(16)))"


def _series(engine: Engine, number: int) -> str:
    """A query for the numbers from 0 on, in a column ``n``."""
    if engine.dialect.name == "postgresql":
        return f"SELECT n FROM generate_series(0, {number - 1}) AS s(n)"
    return (
        f"WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {number - 1})"
        " SELECT n FROM s"
    )

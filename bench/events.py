"""The tasks and events that lines send, and the documents that send them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import count, islice, repeat
from random import getrandbits
from typing import Any

import orjson

from bench.http_client import Client, operation
from bench.load import Load

JOBS = 100_000
OTHER = "q"
"""The array of a load that is compared with another one: the first events of jobs cost less than
later ones, so each has jobs of its own."""
CREATE = """mutation($input: CreateTaskInput!) { createTask(input: $input) {
  userErrors { code message } } }"""
ONE = """mutation($input: SubmitEventInput!) { submitEvent(input: $input) {
  duplicate enough userErrors { code message } } }"""
MANY = """mutation($input: SubmitEventsInput!) { submitEvents(input: $input) {
  results { event { uuid } duplicate enough userErrors { code field message } }
  userErrors { code message } } }"""
TRIVIAL = operation("{ __typename }")
BATCH, LINES = 100, 1_000
"""How many events a request has: as a mutation, and as lines."""
CHUNK = 1_000
LIST_TASKS, LIST_ARRAYS, LIST_JOBS = 51, 10, 20


def create(url: str, name: str, *processes: dict[str, Any]) -> None:
    """Create a task."""
    with closing(Client(url)) as client:
        client.ask(CREATE, input={"name": name, "processes": list(processes)})


def create_array(url: str, jobs: int = JOBS) -> None:
    """Create the task ``t``, with the array ``p``."""
    create(url, "t", {"name": "p", "jobCount": jobs})


def submit(url: str, events: list[dict[str, Any]]) -> None:
    """Send these events."""
    with closing(Client(url)) as client:
        for begin in range(0, len(events), CHUNK):
            client.ask(MANY, input={"events": events[begin : begin + CHUNK]})


def create_two_arrays(url: str) -> None:
    """Create the task ``t``, with the arrays ``p`` and :data:`OTHER`."""
    create(url, "t", *({"name": name, "jobCount": JOBS} for name in ("p", OTHER)))


def new_events(array: str = "p") -> Iterator[bytes]:
    """The JSON of events of all jobs of an array in turn, each with an id of its own.

    They are made as text, in less than half of the time: the server needs the cores.
    """
    for number in count():
        digits = f"{getrandbits(128):032x}"
        uuid = f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"
        yield (
            f'{{"task":"t","process":"{array}","index":{number % JOBS},"eventClass":"PROGRESS",'
            f'"progress":50,"uuid":"{uuid}","sentAt":"2026-01-02T03:04:05.678Z",'
            f'"hostname":"node001"}}'
        ).encode()


def batches(size: int, array: str = "p") -> Iterator[list[bytes]]:
    """Lists of so many events of an array."""
    events = new_events(array)
    return (list(islice(events, size)) for _ in count())


def single(event: bytes) -> bytes:
    """The body of a request with one event."""
    return operation(ONE, input=orjson.Fragment(event))


def many(events: list[bytes]) -> bytes:
    """The body of a request with several events."""
    return operation(MANY, input={"events": orjson.Fragment(b"[%b]" % b",".join(events))})


def trivial_load(url: str) -> Load:
    """A query that reads nothing."""
    return Load(url, repeat(TRIVIAL))


def single_load(url: str) -> Load:
    """One event a request, by GraphQL."""
    return Load(url, map(single, new_events()))


def rest_load(url: str) -> Load:
    """One event a request, by REST."""
    bodies = (
        b'{"eventClass":"PROGRESS","arrayIndex":%d,"progress":50}' % (number % JOBS)
        for number in count()
    )
    return Load(url, bodies, "/api/v0/t/p/event")


def batch_load(url: str) -> Load:
    """A hundred events a request, by GraphQL."""
    return Load(url, map(many, batches(BATCH)), connections=16, size=BATCH)


def lines_load(url: str) -> Load:
    """A thousand events of :data:`OTHER` a request, as lines of JSON."""
    bodies = map(b"\n".join, batches(LINES, OTHER))
    return Load(url, bodies, "/api/v0/events", "application/x-ndjson", connections=8, size=LINES)


def fill_list(url: str) -> None:
    """Create 51 tasks of 10 arrays of 20 jobs, with one event each."""
    for task in range(LIST_TASKS):
        arrays = [{"name": f"p{number}", "jobCount": LIST_JOBS} for number in range(LIST_ARRAYS)]
        create(url, f"task-{task}", *arrays)
        submit(
            url,
            [
                {
                    "task": f"task-{task}",
                    "process": array["name"],
                    "index": index,
                    "eventClass": "PROGRESS",
                    "progress": 50,
                    "hostname": f"node{index:03}.example.org",
                }
                for array in arrays
                for index in range(LIST_JOBS)
            ],
        )

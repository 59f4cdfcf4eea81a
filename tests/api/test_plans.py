"""Compiled plans answer as the executor does that resolves field by field."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from graphql import (
    OperationDefinitionNode,
    OperationType,
    parse,
    print_ast,
    validate,
)

from lamia_gql.domain.settings import load
from lamia_gql.graph.plans.plan import Plans, Variables
from lamia_gql.graph.plans.submission import Submission
from lamia_gql.graph.schema import make_schema
from lamia_gql.graph.types.connection import Edge
from lamia_gql.graph.types.event import Event
from lamia_gql.graph.types.task import Task
from lamia_gql.storage.database import Database
from lamia_gql.storage.filters import EventFilter
from lamia_gql.storage.queries.events import event_cursors, events_after
from lamia_gql.storage.queries.tasks import tasks_by_name
from tests.support.executors import Executors
from tests.support.harness import Server
from tests.support.query_generator import Known, Query, QueryGenerator

PROCESS = "{ __typename name counts { done pending } task { name } }"
QUERIES = 75
MANY_QUERIES = 825
SNAPSHOTS = 20
MANY_SNAPSHOTS = 200
ROOT = Path(__file__).parents[2]


@pytest.fixture
async def executors(server: Server) -> AsyncIterator[Executors]:
    """Both executors, on a database with tasks of all kinds."""
    fill(server)
    limits = {
        "max_document_characters": 10**6,
        "max_document_tokens": 20_000,
        "max_cost": 10**9,
        "max_aliases": 10_000,
        "max_duplicates": 10_000,
        "max_directives": 10_000,
        "max_depth": 50,
    }
    settings = load(database_url=server.database_url, beat_interval=30, **limits)
    database = Database(settings)
    yield Executors(make_schema(settings), settings, database)
    database.close()


def fill(server: Server) -> None:
    """Tasks with arrays and solitary processes, jobs in all states, numbers, payloads, nulls."""
    server.create("empty", {"name": "p", "jobCount": 3})
    server.create(
        "t1",
        {"name": "p", "jobCount": 9, "firstIndex": 1, "failureTolerance": 2, "beatInterval": 1},
        {"name": "q", "jobCount": 4, "threshold": 2.5},
        {"name": "s"},
        {"name": "s2", "threshold": 50},
        username="ada",
        tags=["b", "a"],
        config={"x": [1, 2.5, None, "ü"]},
        dependencies={"q": ["p"]},
    )
    server.create("t2", {"name": "s"}, {"name": "p", "jobCount": 2}, comment="c", hostname="h")
    events: list[dict[str, Any]] = []
    for place, event_class in enumerate(
        [
            *("SUBMITTED", "STARTED", "READY", "BEAT", "PROGRESS", "DONE", "FAILED", "TERMINATED"),
            "HELD",
        ]
    ):
        fields: dict[str, Any] = {"process": "p", "index": place + 1, "eventClass": event_class}
        if place % 2:
            fields |= {"hostname": f"n{place}", "sentAt": f"2026-01-0{place + 1}T10:00:00.5Z"}
        if event_class in ("PROGRESS", "FAILED"):
            fields |= {"progress": 1 / 3 + place, "payload": {"a": [1, {"b": "…"}], "n": 1e-7}}
        if event_class in ("STARTED", "FAILED", "TERMINATED", "HELD"):
            fields |= {"batchId": f"7_{place}", "exitCode": place, "message": f"step {place} ü"}
            fields |= {"usage": {"cpus": 2, "cpuSeconds": 1.5, "wallSeconds": 1, "maxRssBytes": 7}}
        events.append({"task": "t1", **fields})
    events += [
        {"task": "t1", "process": "q", "index": index, "eventClass": "PROGRESS", "progress": 0.5}
        for index in range(3)
    ]
    done = {"task": "t1", "process": "p", "index": 6}
    events.append(done | {"eventClass": "STARTED", "sentAt": "2026-01-01T10:00:00Z"})
    events.append({"task": "t1", "process": "s", "eventClass": "DONE"})
    events.append({"task": "t2", "process": "s", "eventClass": "STARTED", "attempt": 1})
    assert all(result["userErrors"] == [] for result in server.submit_many(events))


async def compare(executors: Executors, seeds: range) -> None:
    """Both give the same bytes; and a plan fails only where resolving has errors, too."""
    answered = 0
    known = await find_known(executors)
    for seed in seeds:
        query = QueryGenerator(executors.schema._schema, random.Random(seed), known).query()
        if validate(executors.schema._schema, parse(query.document)):
            continue  # fields of one key that differ: neither executor gets to see it
        expected, context = await executors.by_field(query)
        found = await executors.planned(query, context.now)
        shown = f"seed {seed}\n{query.document}\n{query.variables}"
        assert found is not None, f"no plan: {shown}"
        if isinstance(found, Exception):
            assert isinstance(expected, list), f"{found!r}: {shown}"
            continue
        assert not isinstance(expected, list), f"{expected}: {shown}"
        same = next(
            (i for i, pair in enumerate(zip(found, expected, strict=False)) if len({*pair}) > 1), 0
        )
        around = slice(max(0, same - 80), same + 80)
        assert found == expected, f"{found[around]!r} {expected[around]!r} {shown}"
        answered += 1
    assert answered > len(seeds) / 3


async def compare_shared(executors: Executors, seeds: range) -> None:
    """Run for several operations at once, a plan gives each the bytes of its own run."""
    known = await find_known(executors)
    now, shared = datetime.now(UTC), 0
    for seed in seeds:
        body = QueryGenerator(executors.schema._schema, random.Random(seed), known).part("Task")
        below, own = body.head.strip("()"), [f"t{1 + seed % 2}", "none", "t1", "empty", "t1"]
        document = (
            f"query($name: String! {below}) {{ __typename key: task(name: $name) {body.selections}"
            f' other: task(name: $name) {{ name }} process(task: $name, name: "p") {PROCESS} }}'
            f"{body.fragments}"
        )
        if validate(executors.schema._schema, parse(document)):
            continue
        queries = [Query(document, {**body.variables, "name": name}) for name in own]
        each = [await executors.planned(query, now) for query in queries]
        found = await executors.planned_together(queries, now)
        if found is None:
            assert below, f"not shared: {document}"
            continue
        if any(isinstance(one, Exception) for one in each):
            assert isinstance(found, Exception), f"seed {seed}: {document}"
            continue
        assert found == each, f"seed {seed}: {document}"
        shared += 1
    assert shared > len(seeds) / 5


async def compare_snapshots(executors: Executors, seeds: range) -> None:
    """A snapshot by a plan has the bytes of the task that a query resolves field by field."""
    known = await find_known(executors)
    [task] = await executors.database.read(lambda c: tasks_by_name(c, ["t1"]))
    assert task is not None
    answered = 0
    for seed in seeds:
        body = QueryGenerator(executors.schema._schema, random.Random(seed), known).part("Task")
        of_task = f'task(name: "t1") {body.selections}'
        query = Query(f"query{body.head} {{ key: {of_task} }}{body.fragments}", body.variables)
        if validate(executors.schema._schema, parse(query.document)):
            continue
        expected, context = await executors.by_field(query)
        snapshot = f"subscription{body.head} {{ key: taskChanged {body.selections} }}"
        found = await executors.planned(
            Query(snapshot + body.fragments, body.variables), context.now, Task.of(task)
        )
        assert found is not None, snapshot
        if isinstance(found, Exception):
            assert isinstance(expected, list), f"{found!r}: {snapshot}"
            continue
        assert found == expected, f"seed {seed}: {snapshot}"
        answered += 1
    assert answered > len(seeds) / 3


async def compare_events(executors: Executors, seeds: range) -> None:
    """What ``events`` sends by a plan has the bytes of the edge that a query resolves."""
    known = await find_known(executors)
    [task] = await executors.database.read(lambda c: tasks_by_name(c, ["t1"]))
    assert task is not None
    [event] = await executors.database.read(
        lambda c: events_after(c, task.id, 0, EventFilter(), limit=1)
    )
    edge = Edge(cursor=event_cursors(task.id).encode(event.seq), node=Event.of(event))
    answered = 0
    for seed in seeds:
        body = QueryGenerator(executors.schema._schema, random.Random(seed), known).part(
            "EventEdge"
        )
        of_list = f'task(name: "t1") {{ events(first: 1) {{ edges {body.selections} }} }}'
        query = Query(f"query{body.head} {{ {of_list} }}{body.fragments}", body.variables)
        if validate(executors.schema._schema, parse(query.document)):
            continue
        pushed = f'subscription{body.head} {{ key: events(task: "t1") {body.selections} }}'
        found = await executors.planned(
            Query(pushed + body.fragments, body.variables), datetime.now(UTC), edge
        )
        if found is None:
            continue  # it needs more than the event
        expected, _ = await executors.by_field(query)
        assert isinstance(found, bytes), f"{found!r}: {pushed}"
        assert isinstance(expected, bytes), f"{expected}: {pushed}"
        [shown] = orjson.loads(expected)["task"]["events"]["edges"]
        assert found == orjson.dumps({"key": shown}), f"seed {seed}: {pushed}"
        answered += 1
    assert answered > len(seeds) / 10


async def find_known(executors: Executors) -> Known:
    """The names and ids of what was created."""
    query = """{ tasks(first: 9) { nodes { id name processes { nodes { id name
      ... on JobArray { jobs(first: 2) { nodes { id } } } } } events(first: 2) { nodes { id } } }
      } }"""
    found, _ = await executors.by_field(Query(query, {}))
    assert isinstance(found, bytes)
    tasks = orjson.loads(found)["tasks"]["nodes"]
    processes = [process for task in tasks for process in task["processes"]["nodes"]]
    ids = [node["id"] for node in [*tasks, *processes]]
    for owner, below in [*((p, "jobs") for p in processes), *((t, "events") for t in tasks)]:
        ids += [node["id"] for node in owner.get(below, {"nodes": []})["nodes"]]
    return Known(
        [task["name"] for task in tasks], sorted({p["name"] for p in processes}), sorted(ids)
    )


async def test_random_queries(executors: Executors) -> None:
    """A few hundred of them, on each engine."""
    await compare(executors, range(QUERIES))


async def test_random_queries_for_several_tasks(executors: Executors) -> None:
    """Those of one task each, run at once, on each engine."""
    await compare_shared(executors, range(SNAPSHOTS))


async def test_random_snapshots(executors: Executors) -> None:
    """Those of ``taskChanged``, on each engine."""
    await compare_snapshots(executors, range(SNAPSHOTS))


async def test_random_events(executors: Executors) -> None:
    """Those of ``events``, on each engine."""
    await compare_events(executors, range(SNAPSHOTS))


async def test_an_object_of_which_nothing_is_left(executors: Executors) -> None:
    """Conditions may leave out all fields of a value."""
    progress = "progress { ratio @skip(if: true) }"
    nodes = f"{{ {progress} processes {{ nodes {{ {progress} }} }} }}"
    query = Query(f"{{ tasks(first: 9) {{ nodes {nodes} }} }}", {})
    expected, context = await executors.by_field(query)
    assert await executors.planned(query, context.now) == expected


def test_our_own_operations_have_plans() -> None:
    """Queries, snapshots and submissions of the pages, of the commands and of the job side."""
    schema = make_schema()
    for path in sorted((ROOT / "schema" / "operations").glob("*.graphql")):
        document = parse(path.read_text())
        for node in document.definitions:
            if not isinstance(node, OperationDefinitionNode):
                continue
            text = print_ast(node)
            if node.operation is OperationType.QUERY or "taskChanged" in text:
                plan: Any = Plans(schema, document, node).plan(
                    Variables(SimpleNamespace(coerced={}))
                )
                assert plan is not None, path
            elif "submitEvents" in text:
                assert Submission(schema, document, node).plan is not None, path


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_many_random_queries(executors: Executors) -> None:
    """Some hundred more on each engine."""
    await compare(executors, range(QUERIES, QUERIES + MANY_QUERIES))
    await compare_shared(executors, range(SNAPSHOTS, MANY_SNAPSHOTS))
    await compare_snapshots(executors, range(SNAPSHOTS, MANY_SNAPSHOTS))
    await compare_events(executors, range(SNAPSHOTS, MANY_SNAPSHOTS))

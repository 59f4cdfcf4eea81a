"""Lines 11, 12 and 17: what millions of events behind it change."""

from __future__ import annotations

from functools import partial

from bench.comparison import answers_ms, compare_loads, in_turn
from bench.environment import Environment
from bench.events import (
    LIST_TASKS,
    batch_load,
    create,
    create_array,
    fill_list,
    single_load,
    submit,
)
from bench.past import past
from bench.reading import LIST, WIDE, analyze
from bench.server import serving
from bench.table import Measured

ARRAY_JOBS = 100
ARRAY = """{task(name:"array"){process(name:"p"){... on JobArray{
  jobs(first:100){nodes{index state progress{current} hostname lastEventAt}}}}}}"""
TREE = WIDE.replace("first:100", f"first:{LIST_TASKS}")
EVENTS = """{task(name:"array"){events(last:50){nodes{uuid eventClass receivedAt}}}}"""
READS = {"list": LIST, "wide tree": TREE, "array": ARRAY, "events": EVENTS}


def events_into_large(environment: Environment) -> Measured:
    """Line 11: single events and batches, against those into an empty database."""
    figures, details = [], []
    for databases in environment.engines:
        large = past(databases, environment.scale.past_tasks)
        with databases.empty() as empty, serving(empty) as one, serving(large) as other:
            for server in (one, other):
                create_array(server.url)
            for load, what in ((single_load, "single"), (batch_load, "batches")):
                found = compare_loads(environment.scale, load(other.url), load(one.url))
                figures.append(found.ratio(0, 1))
                rates = f"{found.median(0):,.0f}/s of {found.median(1):,.0f}/s"
                details.append(f"{databases.engine} {what} {rates}")
    return Measured(tuple(figures), "; ".join(details))


def list_in_large(environment: Environment) -> Measured:
    """Line 12: the list of line 1."""
    scale = environment.scale
    large = past(environment.postgresql, scale.past_tasks)
    with environment.postgresql.empty() as empty, serving(empty) as one, serving(large) as other:
        for server, database in ((one, empty), (other, large)):
            fill_list(server.url)
            analyze(database)
        found = in_turn(
            scale.rounds,
            *(partial(answers_ms, server.url, LIST, scale.answers) for server in (other, one)),
        )
    return Measured((found.ratio(0, 1),), f"{found.median(0):.2f} ms, {found.median(1):.2f} ms")


def among_ranges(environment: Environment) -> Measured:
    """Line 17: loads and answers on PostgreSQL, where there are other ranges of tasks, too."""
    scale, figures, details = environment.scale, [], []
    large = past(environment.postgresql, scale.range_tasks, scale.ranges)
    with environment.postgresql.empty() as empty, serving(empty) as one, serving(large) as other:
        for server, database in ((one, empty), (other, large)):
            create_array(server.url)
            create(server.url, "array", {"name": "p", "jobCount": ARRAY_JOBS})
            job = {"task": "array", "process": "p", "eventClass": "STARTED"}
            submit(server.url, [job | {"index": index} for index in range(ARRAY_JOBS)])
            fill_list(server.url)
            analyze(database)
        for what, load in (("single", single_load), ("batches", batch_load)):
            found = compare_loads(scale, load(other.url), load(one.url))
            figures.append(found.ratio(0, 1))
            details.append(f"{what} {found.median(0):,.0f}/s of {found.median(1):,.0f}/s")
        for what, query in READS.items():
            found = in_turn(
                scale.rounds,
                *(partial(answers_ms, server.url, query, scale.answers) for server in (other, one)),
            )
            figures.append(found.ratio(0, 1))
            details.append(f"{what} {found.median(0):.2f} ms, {found.median(1):.2f} ms")
    return Measured(tuple(figures), "; ".join(details))

"""Lines 5 to 10: how fast events are stored, compared with the server's and the engines' speed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import orjson

from bench.bare import bare_postgres, bare_sqlite
from bench.comparison import Comparison, compare_loads, in_turn, median_ms
from bench.environment import Environment
from bench.events import (
    ONE,
    batch_load,
    create_array,
    create_two_arrays,
    lines_load,
    new_events,
    rest_load,
    single_load,
    submit,
    trivial_load,
)
from bench.http_client import Client
from bench.load import Load
from bench.server import serving
from bench.table import Measured

BATCHES_BEFORE = 3_200
"""Events a second that PostgreSQL stored, in batches of 100, before events were compiled."""
ANSWERS_EACH = 5
"""Single events are answered so fast that this many times as many fit."""


def single_by_graphql(environment: Environment) -> Measured:
    """Line 5."""
    return _on_both_engines(environment, single_load, trivial_load)


def single_by_rest(environment: Environment) -> Measured:
    """Line 6."""
    return _on_both_engines(environment, rest_load, trivial_load)


def batches_on_sqlite(environment: Environment) -> Measured:
    """Line 7."""
    scale, files = environment.scale, environment.sqlite
    with files.temporary() as name, serving(files.url(name)) as server:
        create_array(server.url)
        submit(server.url, [orjson.loads(next(new_events()))])  # a model for the baseline's rows
        batches = batch_load(server.url)
        with bare_sqlite(files.path(name)) as bare:
            found = in_turn(
                scale.rounds,
                partial(batches.rate, scale.load_s),
                partial(bare.rate, scale.load_s),
            )
    details = f"{found.median(0):,.0f}/s of {found.median(1):,.0f}/s"
    return Measured((found.ratio(0, 1),), details)


def batches_on_postgresql(environment: Environment) -> Measured:
    """Line 8."""
    with environment.postgresql.empty() as database, serving(database) as server:
        create_array(server.url)
        found = compare_loads(environment.scale, batch_load(server.url))
    rate = found.median(0)
    return Measured((rate / BATCHES_BEFORE,), f"{rate:,.0f}/s of {BATCHES_BEFORE:,}/s")


def lines_of_json(environment: Environment) -> Measured:
    """Line 9."""
    return _on_both_engines(environment, lines_load, batch_load)


def latency(environment: Environment) -> Measured:
    """Line 10."""
    figures, details = [], []
    files, cluster = environment.sqlite, environment.postgresql
    with files.temporary() as name, serving(files.url(name)) as server:
        ask = _single_event(server.url)
        with bare_sqlite(files.path(name)) as file:
            found = _compare_latencies(environment, ask, file.insert)
            figures.append(found.ratio(0, 1))
            details.append(f"SQLite {found.median(0):.2f} ms, {found.median(1):.2f} ms")
    with cluster.empty() as database, serving(database) as server:
        ask = _single_event(server.url)
        with bare_postgres(database) as table:
            found = _compare_latencies(environment, ask, table.insert)
            figures.append(found.ratio(0, 1))
            details.append(f"PostgreSQL {found.median(0):.2f} ms, {found.median(1):.2f} ms")
    return Measured(tuple(figures), "; ".join(details))


def _on_both_engines(
    environment: Environment, load: Callable[[str], Load], other: Callable[[str], Load]
) -> Measured:
    """One load against another one, on the same server."""
    figures, details = [], []
    for databases in environment.engines:
        with databases.empty() as database, serving(database) as server:
            create_two_arrays(server.url)
            found = compare_loads(environment.scale, load(server.url), other(server.url))
        figures.append(found.ratio(0, 1))
        details.append(f"{databases.engine} {found.median(0):,.0f}/s of {found.median(1):,.0f}/s")
    return Measured(tuple(figures), "; ".join(details))


def _single_event(url: str) -> Callable[[], object]:
    """A function that sends the next event and waits for its answer; it has sent one already."""
    create_array(url)
    client, events = Client(url), new_events()

    def ask() -> bytes:
        return client.ask(ONE, input=orjson.Fragment(next(events)))

    ask()
    return ask


def _compare_latencies(
    environment: Environment, ask: Callable[[], object], insert: Callable[[], None]
) -> Comparison:
    scale = environment.scale
    number = ANSWERS_EACH * scale.answers
    return in_turn(
        scale.rounds, partial(median_ms, ask, number), partial(median_ms, insert, number)
    )

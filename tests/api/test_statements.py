"""GraphQL operations run a constant number of SQL statements, whatever the number of rows."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from lamia_gql.api.turns import Turns
from lamia_gql.domain.settings import load
from lamia_gql.ingest.event_batch import PART
from lamia_gql.storage.engine import create_engine
from lamia_gql.storage.queries.jobs import JOB_CURSORS
from tests.support.recorded_app import App, running
from tests.support.statements import record_statements
from tests.support.webhook_receiver import SECRET

DEEP = """query($n: Int!) { tasks(first: $n) { totalCount nodes {
  name tags progress { ratio } counts { total } state outlook estimatedFinishAt
  processes { nodes { name state progress { ratio } outlook counts { total }
    ... on JobArray { jobs(first: $n) { totalCount nodes { index state liveness
      events(first: $n) { totalCount nodes { eventClass payload process { name } job { index } } }
    } } } } } } } }"""
LIST = """{ tasks(first: 2) { nodes { progress { ratio } counts { total done }
  processes { nodes { progress { ratio } counts { total done } } } } } }"""
SURFACE = """{ task(name: "t0") { state progress { ratio } outlook counts { total done }
  startedAt finishedAt lastEventAt estimatedFinishAt timeline(points: 5) { ratio }
  processes { nodes { state progress { ratio } enough counts { done } outlook lastEventClass
    ... on JobArray { stateRanges { first last state } indices(states: [DONE])
      jobs(first: 10, filter: {states: [DONE]}) { totalCount nodes { state progress { ratio }
        starts hostname lastEventClass events(first: 0) { totalCount } } } } } } } }"""


@pytest.fixture
def app(database_url: str) -> Iterator[App]:
    """The application on a fresh database, on either engine."""
    with running(
        load(database_url=database_url, page_limit=1000, beat_interval=60, max_cost=10**15)
    ) as app:
        yield app


def test_nested_lists_cost_the_same_for_ten_and_for_a_thousand(app: App) -> None:
    """One statement per nesting level and count for tasks, processes, jobs and events."""
    seen = []
    for tasks in (range(10), range(10, 1000)):
        app.fill(tasks)
        with record_statements() as statements:
            data = app.graphql(DEEP, n=1000)["tasks"]
        assert data["totalCount"] == tasks.stop
        for task in data["nodes"]:
            (job,) = task["processes"]["nodes"][0]["jobs"]["nodes"]
            assert [e["eventClass"] for e in job["events"]["nodes"]] == ["STARTED"]
        seen.append(len(statements))
    assert seen[0] == seen[1]
    # A plan reads the processes once, for the list and for the fields of the tasks.
    assert seen[0] == (10 if app.settings.compiled_queries else 11)


def test_a_list_reads_what_it_shows(database_url: str) -> None:
    """Of processes, one ratio and a few counts need a part of what all progress and counts need."""
    with running(load(database_url=database_url, compiled_queries=True)) as app:
        app.fill(range(2))
        with record_statements() as statements:
            app.graphql(LIST)
    _, processes = statements
    columns = set(re.findall(r"\w+", processes))
    assert {"done", "reporting"} <= columns
    assert not {"held", "failed", "failure_tolerance"} & columns


def test_parts_that_wait_for_their_turn_cost_no_further_statements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever an operation lets others work, those below are read together."""
    rng = random.Random(0)
    asked, over = 0, {0}

    def is_over(_turns: Turns) -> bool:
        nonlocal asked
        asked += 1
        return asked in over

    monkeypatch.setattr(Turns, "is_over", is_over)
    with running(
        load(
            database_url=f"sqlite:///{tmp_path}/lamia.sqlite",
            compiled_queries=False,
            max_cost=10**15,
        )
    ) as app:
        app.fill(range(40))
        asked = 0
        app.graphql(DEEP, n=40)
        longest = asked
        assert longest > 500
        for _ in range(30):
            asked, over = 0, {rng.randrange(longest) for _ in range(rng.randint(1, 3))}
            with record_statements() as statements:
                app.graphql(DEEP, n=40)
            assert len(statements) == 10  # no job of these can be lost


def test_a_batch_costs_as_many_statements_as_one_event(app: App) -> None:
    """So it is up to a size; a larger one is sent in parts, and each of these is one more."""
    app.fill(range(2))
    seen = []
    for number in (1, PART, 4 * PART):
        events = [
            {"task": f"t{n % 2}", "process": "a", "index": 0, "eventClass": "BEAT"}
            for n in range(number)
        ]
        with record_statements() as statements:
            app.graphql(
                """mutation($input: SubmitEventsInput!) { submitEvents(input: $input) {
                  results { enough } } }""",
                input={"events": events},
            )
        seen.append(len(statements))
    assert seen[0] == seen[1]
    assert seen[2] <= seen[0] + 4


SUBMIT = """mutation($input: SubmitEventsInput!) { submitEvents(input: $input) {
  results { userErrors { message } } } }"""


def test_notifications_cost_only_what_ends(database_url: str) -> None:
    """Other events run the same statements as without; many ends run as many as one."""
    settings = load(
        database_url=database_url,
        smtp_url="smtp://127.0.0.1:9",
        notify_webhook_urls=["http://127.0.0.1:9/"],
        notify_webhook_secret=SECRET,
    )

    def submit(app: App, event_class: str, tasks: range) -> list[str]:
        """Submit an event of each task; the statements by which they are stored."""
        events = [
            {"task": f"t{n}", "process": "a", "index": 0, "eventClass": event_class} for n in tasks
        ]
        with record_statements("lamia-write-events") as statements:
            results = app.graphql(SUBMIT, input={"events": events})["submitEvents"]["results"]
        assert all(not result["userErrors"] for result in results)
        return statements

    with running(settings) as app:
        app.fill(range(200))
        beats = submit(app, "BEAT", range(100))
        assert not any("notification" in statement for statement in beats)
        one = submit(app, "FAILED", range(1))
        many = submit(app, "FAILED", range(1, 100))
    with running(load(database_url=database_url)) as app:
        assert submit(app, "BEAT", range(100, 200)) == beats
        ends = submit(app, "FAILED", range(100, 200))
        assert len(one) == len(many) == len(ends) + 5
        # All processes of the tasks are read, and the tasks are written by themselves, which SQLite
        # does in place of writing their counts.
        assert len(ends) == len(beats) + (1 if database_url.startswith("sqlite") else 2)
        # One statement counts how long the jobs ran.
        assert len(submit(app, "DONE", range(100, 200))) == len(ends) + 1


def test_progress_and_states_are_read_without_the_events(app: App) -> None:
    """Progress, counts, states, jobs and timelines are read without the table of events."""
    app.fill(range(1))
    before = app.graphql(SURFACE)["task"]
    assert before["counts"]["total"] == 1
    engine = create_engine(app.settings)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE event"))
    engine.dispose()
    after = app.graphql(SURFACE)["task"]
    assert after["processes"] == before["processes"]
    assert (after["state"], after["counts"]) == (before["state"], before["counts"])


def test_large_fields_are_read_only_when_selected(app: App) -> None:
    """Only where they are selected, config and dependencies are read, by one statement."""
    app.fill(range(3))
    app.graphql("""mutation { updateTask(input: {name: "t1", config: {a: 1}, dependencies: [2]}) {
      task { name } } }""")
    with record_statements() as statements:
        app.graphql("{ tasks(first: 9) { nodes { name state progress { ratio } tags } } }")
    assert not any("config" in statement for statement in statements)
    with record_statements() as statements:
        data = app.graphql("{ tasks(first: 9) { nodes { name config dependencies } } }")["tasks"]
    assert [task["config"] for task in data["nodes"]] == [None, {"a": 1}, None]
    assert [task["dependencies"] for task in data["nodes"]] == [None, [2], None]
    assert len(statements) == 2


ORDERED = """query($field: TaskOrderField!) {
  tasks(first: 5, orderBy: {field: $field}) { nodes { name } } }"""


@pytest.mark.parametrize("field", ["NAME", "RECEIVED_AT", "SUBMITTED_AT"])
def test_a_page_of_tasks_is_read_in_the_order_of_an_index(sqlite_url: str, field: str) -> None:
    """SQLite reads a page of tasks from an index, without sorting."""
    with running(load(database_url=sqlite_url)) as app:
        app.fill(range(3))
        with record_statements() as statements:
            app.graphql(ORDERED, field=field)
        engine = create_engine(app.settings)
        with engine.connect() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statements[0]}", (6, 0))
            steps = [row.detail for row in plan]
        engine.dispose()
    assert len(steps) == 1, steps
    assert steps[0].startswith("SCAN task USING INDEX")


JOB_ROWS = """INSERT INTO job (task_id, process_number, job_index, state, events, starts, reported,
  alive_at, seen_attempt, seen_at, seen_id, seen_class)
  SELECT task_id, process_number, job_index + n, state, events, starts, reported,
  alive_at, seen_attempt, seen_at, seen_id, seen_class FROM job, ({series}) AS s"""


def series(engine: Engine, last: int) -> str:
    """A query for the numbers from 1 on, in a column ``n``."""
    if engine.dialect.name == "postgresql":
        return f"SELECT n FROM generate_series(1, {last}) AS s(n)"
    return (
        f"WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {last})"
        " SELECT n FROM s"
    )


def test_large_arrays_are_quick_without_table_statistics(app: App) -> None:
    """Queries on large arrays are quick without table statistics, too.

    What it does for each job must not grow with the number of jobs: with 50,000 that takes minutes.
    """
    app.graphql("""mutation { createTask(input: {name: "t", processes:
      [{name: "a", jobCount: 60000, beatInterval: 0.001}]}) { userErrors { message } } }""")
    app.graphql("""mutation { submitEvent(input: {task: "t", process: "a", index: 0,
      eventClass: STARTED}) { userErrors { message } } }""")
    engine = create_engine(app.settings)
    with engine.begin() as connection:
        connection.execute(text(JOB_ROWS.format(series=series(engine, 49_999))))
        connection.execute(text("UPDATE process SET running = 50000"))
    engine.dispose()
    begin = time.perf_counter()
    array = app.graphql(
        """query($end: String!) { process(task: "t", name: "a") { ... on JobArray {
      pending: jobs(first: 2, filter: {states: [PENDING]}) { nodes { index } }
      lastPending: jobs(last: 2, before: $end, filter: {states: [PENDING]}) { nodes { index } }
      lastLost: jobs(last: 2, filter: {liveness: LOST}) { nodes { index } }
      lost: jobs(first: 2, filter: {liveness: LOST}) {
        totalCount isTotalCountExact nodes { index liveness } }
      silent: indices(liveness: LOST) job(index: 49999) { state }
      stateRanges { first last } } } }""",
        end=JOB_CURSORS.encode(50_000),
    )
    seconds = time.perf_counter() - begin
    assert array["process"] == {
        "pending": {"nodes": [{"index": 50_000}, {"index": 50_001}]},
        "lastPending": {"nodes": []},
        "lastLost": {"nodes": [{"index": 49_998}, {"index": 49_999}]},
        "lost": {
            "totalCount": 10_000,
            "isTotalCountExact": False,
            "nodes": [{"index": n, "liveness": "LOST"} for n in range(2)],
        },
        "silent": "0-49999",
        "job": {"state": "RUNNING"},
        "stateRanges": [{"first": 0, "last": 49_999}, {"first": 50_000, "last": 59_999}],
    }
    assert seconds < 10


@pytest.mark.slow
@pytest.mark.timed
@pytest.mark.timeout(300)
def test_a_million_events_do_not_slow_the_task_down(app: App) -> None:
    """A task with a million events is read as fast as a task with one."""

    def best() -> float:
        times = []
        for _ in range(7):
            begin = time.perf_counter()
            app.graphql(SURFACE)
            times.append(time.perf_counter() - begin)
        return min(times)

    app.fill(range(1))
    small = best()
    engine = create_engine(app.settings)
    new_id = (
        "gen_random_uuid()" if engine.dialect.name == "postgresql" else "lower(hex(randomblob(16)))"
    )
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO event (task_id, seq, id, process_number, job_index, event_class,"
                " attempt, received_at)"
                f" SELECT 1, n + 1, {new_id}, 0, 0, 'BEAT', 0, '2026-11-23 12:00:00'"
                f" FROM ({series(engine, 999_999)}) AS numbers"
            )
        )
    engine.dispose()
    big = best()
    assert big < 3 * small + 0.02, f"{small:.4f} s with one event, {big:.4f} s with a million"

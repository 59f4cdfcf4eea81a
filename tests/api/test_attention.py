"""Which tasks need attention and why: order, filters, silent jobs, rate and stalls."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from lamia_gql.domain.pagination import encode_opaque
from tests.conftest import make_postgres
from tests.support.harness import Server, StartServer

TASKS = """query($order: TaskOrder, $filter: TaskFilter, $first: Int, $after: String, $last: Int,
    $before: String) {
  tasks(orderBy: $order, filter: $filter, first: $first, after: $after, last: $last,
    before: $before) {
    totalCount nodes { name outlook } pageInfo { startCursor endCursor hasNextPage } } }"""
ATTENTION = {"field": "ATTENTION"}
COUNTS = "{ running late lost }"
WORK = "rate stalledSince estimatedFinishAt"


def ago(minutes: float) -> str:
    """A time in the past."""
    return (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()


def send(server: Server, task: str, *events: dict[str, Any]) -> None:
    """Events of the array of a task."""
    server.submit_many([{"task": task, "process": "a", **event} for event in events])


@pytest.fixture
def tasks(server: Server) -> Server:
    """A server with tasks in all kinds of trouble, which were created in this order."""
    array = {"name": "a", "jobCount": 10, "beatInterval": 60}
    tolerant = {**array, "failureTolerance": 2}
    ended = {**array, "jobCount": 1}
    other = {"risky": tolerant, **dict.fromkeys(("failed", "failed before", "done"), ended)}
    names = ["waiting", "lost", "held", "doomed", "risky", "failed", "good", "done", "few left"]
    for name in [*names, "failed before"]:
        made = other.get(name, array)
        if name == "few left":
            made = {"name": "a", "jobCount": 10, "threshold": 10}
        server.create(name, made, *([{"name": "b"}] if name == "good" else []))
    failed = {"index": 0, "eventClass": "FAILED", "hostname": "n1", "message": "No space left: /a"}
    for name in ("doomed", "risky", "failed", "few left"):
        send(server, name, failed)
    send(server, "failed before", failed | {"sentAt": ago(25 * 60)})
    send(server, "doomed", {"index": 1, "eventClass": "STARTED"})
    send(server, "risky", {"index": 1, "eventClass": "STARTED", "hostname": "n2"})
    send(server, "held", {"index": 0, "eventClass": "HELD", "message": "quota"})
    send(server, "good", {"index": 0, "eventClass": "STARTED", "sentAt": ago(1)})
    # Where no interval is known, nobody is lost.
    server.submit("good", "b", "STARTED", sentAt=ago(600))
    send(server, "done", {"index": 0, "eventClass": "DONE"})
    silence = {0: 1, 1: 3, 2: 4, 3: 6, 4: 60, 5: 600}
    send(
        server,
        "lost",
        *(
            {"index": index, "eventClass": "STARTED", "sentAt": ago(minutes)}
            for index, minutes in silence.items()
        ),
    )
    return server


def names(server: Server, **variables: Any) -> list[str]:
    """The names of the tasks of a page, in their order."""
    page = server.graphql(TASKS, **({"first": 100} | variables))["tasks"]
    assert page["totalCount"] == len(page["nodes"])
    return [task["name"] for task in page["nodes"]]


def test_trouble_comes_first(tasks: Server) -> None:
    """By rank, the newest first within; pages continue where they end, in both directions."""
    expected = ["few left", "doomed", "risky", "held", "lost", "failed", "good", "waiting"]
    expected += ["failed before", "done"]
    assert names(tasks, order=ATTENTION) == expected
    assert names(tasks, order={**ATTENTION, "direction": "ASC"}) == expected[::-1]
    forward: list[str] = []
    after = None
    while True:
        page = tasks.graphql(TASKS, order=ATTENTION, first=2, after=after)["tasks"]
        forward += [task["name"] for task in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert forward == expected
    back = tasks.graphql(TASKS, order=ATTENTION, last=3, before=page["pageInfo"]["startCursor"])
    assert [task["name"] for task in back["tasks"]["nodes"]] == expected[-5:-2]


@pytest.mark.parametrize("ranks", [(), (1,), (3,)])
def test_ranks_of_other_versions_are_no_positions(
    sqlite_server: Server, ranks: tuple[int, ...]
) -> None:
    """While two versions of the server run, no page skips tasks."""
    cursor = encode_opaque("tATTENTIONDESC", *ranks, 2, 1)
    error = sqlite_server.graphql_error(TASKS, order=ATTENTION, first=1, after=cursor)
    assert error["extensions"]["code"] == "CURSOR_INVALID"


def test_filters_agree_with_the_fields(tasks: Server) -> None:
    """By outlook; by the host and the message of failures; by words, in any order."""
    found = tasks.graphql(TASKS, first=100)["tasks"]["nodes"]
    for outlooks in (["ON_TRACK"], ["AT_RISK"], ["CANNOT_SUCCEED", "AT_RISK"], []):
        expected = {task["name"] for task in found if task["outlook"] in outlooks}
        assert set(names(tasks, filter={"outlooks": outlooks})) == expected
    by_outlook = {task["name"]: task["outlook"] for task in found}
    assert by_outlook["lost"] == by_outlook["held"] == "AT_RISK"

    with_failures = {"doomed", "risky", "failed", "failed before", "few left"}
    assert set(names(tasks, filter={"hostnames": ["n1"]})) == with_failures
    assert names(tasks, filter={"hostnames": ["n2"]}) == []  # no job has failed there
    assert set(names(tasks, filter={"message": "no SPACE"})) == with_failures
    assert names(tasks, filter={"message": "quota"}) == []
    both = {"message": "space", "states": ["FAILED"]}
    assert names(tasks, filter=both) == ["failed before", "failed"]
    assert names(tasks, filter={"text": " LEFT few"}) == ["few left"]
    assert names(tasks, filter={"text": "few nothing"}) == []


def test_words_are_found_by_a_database_that_knows_only_ascii(
    postgres: Path, start_server: StartServer
) -> None:
    """Its locale C leaves other letters as they are: they are found as they are written."""
    with contextmanager(make_postgres)(postgres, "LOCALE 'C' TEMPLATE template0") as url:
        server = start_server(url)
        server.create("Élan", {"name": "a"})
        assert names(server, filter={"text": "É LAN"}) == ["Élan"]
        server.stop()


def test_a_subscription_cannot_filter_by_jobs(tasks: Server) -> None:
    """They change with the time, without an event; so do bad texts get a clear error."""
    answer = tasks.post(
        "/graphql",
        json={"query": 'subscription { taskChanged(filter: {message: "x"}) { name } }'},
        headers={"Accept": "text/event-stream"},
    )
    assert "ARGUMENT_INVALID" in answer.text
    assert "watch the tasks that it finds by their names" in answer.text
    error = tasks.graphql_error(TASKS, first=1, filter={"text": "a " * 21})
    assert error["extensions"]["code"] == "ARGUMENT_INVALID"


def test_silent_jobs_are_counted(tasks: Server) -> None:
    """LATE and LOST ones are part of those that run; a history does not tell."""
    query = f"""{{ task(name: "lost") {{ counts {COUNTS} timeline(points: 2) {{ counts {COUNTS} }}
      process(name: "a") {{ counts {COUNTS}
        ... on JobArray {{ late: jobs(first: 9, filter: {{liveness: LATE}}) {{ totalCount }}
          lost: jobs(first: 9, filter: {{liveness: LOST}}) {{ totalCount }} }} }} }} }}"""
    task = tasks.graphql(query)["task"]
    counts = {"running": 6, "late": 2, "lost": 3}
    assert task["counts"] == task["process"]["counts"] == counts
    assert [task["process"][each]["totalCount"] for each in ("late", "lost")] == [2, 3]
    assert task["timeline"][-1]["counts"] == {"running": 6, "late": None, "lost": None}


def test_users_are_suggested(server: Server) -> None:
    """By the beginning of their names, in any case; each once."""
    for number, user in enumerate(["Ada", "adele", "bob", "Ada", None, "c_/d"]):
        server.create(f"t{number}", {"name": "a"}, username=user)
    query = "query($p: String!, $n: Int!) { usernames(prefix: $p, first: $n) }"
    assert server.graphql(query, p="AD", n=20)["usernames"] == ["Ada", "adele"]
    assert server.graphql(query, p="", n=2)["usernames"] == ["Ada", "adele"]
    assert server.graphql(query, p="%", n=20)["usernames"] == []
    assert server.graphql(query, p="A_", n=20)["usernames"] == []
    assert server.graphql(query, p="c_/", n=20)["usernames"] == ["c_/d"]
    error = server.graphql_error(query, p="", n=-1)
    assert error["extensions"]["code"] == "PAGE_SIZE_INVALID"


def age(server: Server, minutes: int, **columns: int) -> None:
    """Make the whole history so much older; ``columns`` of the processes get other values."""
    changes = ["sample SET at = at - :s", "process SET sampled_since = sampled_since - :s"]
    changes += [f"process SET {name} = {value}" for name, value in columns.items()]
    engine = create_engine(server.database_url)
    with engine.begin() as connection:
        for change in changes:
            connection.execute(text(f"UPDATE {change}"), {"s": 60 * minutes})
    engine.dispose()


def test_rate_and_stall(server: Server) -> None:
    """The rate is a recent one, the estimate follows it, and silence is told from when it began."""
    server.create("t", {"name": "a", "jobCount": 40})
    query = f'{{ task(name: "t") {{ {WORK} process(name: "a") {{ {WORK} }} }} }}'
    nothing = {"rate": None, "stalledSince": None, "estimatedFinishAt": None}
    assert server.graphql(query)["task"] == {**nothing, "process": nothing}
    begun = datetime.now(UTC)
    lives = [
        {
            "index": index,
            "eventClass": event,
            "sentAt": (begun - timedelta(minutes=age)).isoformat(),
        }
        for index in range(20)
        for event, age in (("STARTED", 5), ("DONE", 1))
    ]
    send(server, "t", *lives, {"index": 20, "eventClass": "STARTED"})

    def earlier(minutes: int) -> dict[str, Any]:
        """What is shown when all of that was so long ago."""
        age(server, minutes)
        found: dict[str, Any] = server.graphql(query)["task"]
        shown = {name: found[name] for name in nothing}
        process = found["process"]
        assert shown["rate"] == pytest.approx(process["rate"], rel=0.05)
        assert shown["stalledSince"] == process["stalledSince"]
        assert (shown["estimatedFinishAt"] is None) == (process["estimatedFinishAt"] is None)
        return shown

    soon = earlier(8)
    assert 0 < soon["rate"] < 20 / 8
    assert soon["stalledSince"] is None
    assert datetime.fromisoformat(soon["estimatedFinishAt"]) > datetime.now(UTC)
    # The jobs took four minutes.
    later = earlier(4)
    assert later["estimatedFinishAt"] is None
    silent = datetime.now(UTC) - datetime.fromisoformat(later["stalledSince"])
    assert timedelta(minutes=11) < silent < timedelta(minutes=14)
    assert later["rate"] < soon["rate"]
    # A task that cannot succeed has no estimated end.
    send(server, "t", {"index": 21, "eventClass": "FAILED"})
    shown = server.graphql(query)["task"]
    assert shown["estimatedFinishAt"] is shown["stalledSince"] is None


def test_a_job_that_ends_otherwise_has_worked(server: Server) -> None:
    """As many jobs as before have ended, but one of them has run again meanwhile."""
    server.create("t", {"name": "a", "jobCount": 40, "failureTolerance": 1})
    done = [{"index": 1, "eventClass": name} for name in ("STARTED", "DONE")]
    send(server, "t", {"index": 0, "eventClass": "STARTED"}, *done)
    for attempt, end in enumerate(("FAILED", "TERMINATED")):
        job = {"index": 2, "attempt": attempt}
        send(server, "t", job | {"eventClass": "STARTED"}, job | {"eventClass": end})
        age(server, 5 if attempt else 20)
    query = '{ task(name: "t") { stalledSince counts { done failed terminated running } } }'
    counts = {"done": 1, "failed": 0, "terminated": 1, "running": 1}
    assert server.graphql(query)["task"] == {"stalledSince": None, "counts": counts}


def test_where_no_job_is_done_any_more_no_duration_is_known(server: Server) -> None:
    """The only one that was DONE runs again: nothing tells how long that should take."""
    server.create("t", {"name": "a", "jobCount": 40})
    for attempt, events in enumerate((("STARTED", "DONE"), ("STARTED",))):
        job = {"index": 0, "attempt": attempt}
        send(server, "t", *(job | {"eventClass": each} for each in events))
    age(server, 20)
    server.create("new", {"name": "a"})
    assert server.graphql('{ task(name: "t") { stalledSince } }')["task"]["stalledSince"] is None
    assert names(server, order=ATTENTION) == ["new", "t"]


def test_no_stall_is_told_without_reason(server: Server) -> None:
    """Nothing has stalled while all jobs waited, nor where the history is too coarse to tell."""
    server.create("t", {"name": "a", "jobCount": 40})

    def stalled_for() -> timedelta | None:
        since = server.graphql('{ task(name: "t") { stalledSince } }')["task"]["stalledSince"]
        return None if since is None else datetime.now(UTC) - datetime.fromisoformat(since)

    began = ago(1)
    send(server, "t", {"index": 0, "eventClass": "STARTED", "sentAt": began})
    send(server, "t", {"index": 0, "eventClass": "DONE"})
    age(server, 120)
    send(server, "t", {"index": 1, "eventClass": "STARTED"})
    age(server, 9)
    assert stalled_for() is None
    age(server, 3)
    silent = stalled_for()
    assert silent is not None
    assert timedelta(minutes=11) < silent < timedelta(minutes=13)
    # What was stored of these twelve minutes may be of any time in the last half hour.
    age(server, 0, sample_step=1800)
    assert stalled_for() is None
    age(server, 30)
    silent = stalled_for()
    assert silent is not None
    assert timedelta(minutes=11) < silent < timedelta(minutes=13)

"""Failures grouped by their cause: exact, of arrays and tasks, and quick for many failures."""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from sqlalchemy import text

from lamia_gql.domain.settings import load
from lamia_gql.storage.engine import create_engine
from tests.support.harness import Server, StartServer

GROUPS = """fragment G on FailureGroup { count exitCode signal message hostname firstAt lastAt
  indices hosts { hostname count } sample { index exitCode process { name } } }"""
OF_ARRAY = f"""query($by: [FailureKey!], $first: Int) {{ process(task: "t", name: "a") {{
  ... on JobArray {{ failureGroups(by: $by, first: $first) {{ ...G }} }} }} }} {GROUPS}"""
OF_TASK = f"""query($by: [FailureKey!]) {{ task(name: "t") {{
  failureGroups(by: $by) {{ ...G }} }} }} {GROUPS}"""

CAUSES_OF_ARRAY = """{ process(task: "t", name: "a") { ... on JobArray { failureGroups {
  count exitCode signal message firstAt lastAt sample { index hostname } } } } }"""
PLAIN_GROUPS = """SELECT exit_code, signal, message_key, count(*), min(closed_at), max(closed_at)
  FROM job WHERE state = 'FAILED' GROUP BY exit_code, signal, message_key"""


class Failure(NamedTuple):
    """How a job of the test fails."""

    exit_code: int | None
    signal: str | None
    message: str | None
    """With ``{}`` for what varies."""
    form: str | None


CAUSES = [
    Failure(134, "SIGABRT", "std::bad_alloc at 0x7f{}ab", "std::bad_alloc at #"),
    Failure(1, None, "open /data/run{}/x.root: no such file", "open …: no such file"),
    Failure(1, None, "step {} of 99 failed", "step # of # failed"),
    Failure(137, "SIGKILL", None, None),
    Failure(None, None, "node went away", "node went away"),
    Failure(2, None, "HTTP 503 from 10.0.0.{}:8080", "HTTP # from #"),
    Failure(None, None, None, None),
]


def fail(index: int, cause: Failure, host: str | None, process: str = "a") -> dict[str, Any]:
    """The event of a failure, at the second of its index."""
    fields = {
        "exitCode": cause.exit_code,
        "signal": cause.signal,
        "message": cause.message and cause.message.format(index % 250),
        "hostname": host,
    }
    at = f"2026-11-24T{index // 3600 % 24:02}:{index // 60 % 60:02}:{index % 60:02}Z"
    named = {"task": "t", "process": process, "eventClass": "FAILED", "sentAt": at}
    return named | {"index": index} | {k: v for k, v in fields.items() if v is not None}


def seconds(work: Callable[[], None]) -> float:
    """How long it takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def expected(failures: dict[int, tuple[Failure, str | None]]) -> list[dict[str, Any]]:
    """The groups by cause, largest first, computed from what was sent."""
    groups: dict[Failure, list[int]] = defaultdict(list)
    for index, (cause, _) in sorted(failures.items()):
        groups[cause].append(index)
    found = []
    for cause, indices in groups.items():
        hosts = Counter(failures[index][1] for index in indices)
        found.append(
            {
                "count": len(indices),
                "exitCode": cause.exit_code,
                "signal": cause.signal,
                "message": cause.form,
                "hostname": None,
                "hosts": dict(hosts),
                "indices": set(indices),
                "sample": indices[0],
            }
        )
    return sorted(found, key=lambda group: (-group["count"], group["sample"]))


def indices_of(text: str) -> set[int]:
    """The indices in a text like ``813,900-904``."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def shown(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The groups of an answer, in the form of :func:`expected`."""
    found = []
    for group in groups:
        assert sorted(-host["count"] for host in group["hosts"]) == [
            -host["count"] for host in group["hosts"]
        ]
        found.append(
            {name: group[name] for name in ("count", "exitCode", "signal", "message", "hostname")}
            | {
                "hosts": {host["hostname"]: host["count"] for host in group["hosts"]},
                "indices": indices_of(group["indices"]),
                "sample": group["sample"]["index"],
            }
        )
    return found


@pytest.fixture
def failures(server: Server) -> Iterator[dict[int, tuple[Failure, str | None]]]:
    """The failures of an array of 600 jobs, by their indices."""
    chance = random.Random(14)
    server.create(
        "t",
        {"name": "a", "jobCount": 600},
        {"name": "b", "jobCount": 600},
        {"name": "merge"},
    )
    found = {
        index: (chance.choice(CAUSES), chance.choice(["n1", "n2", "n3", None]))
        for index in chance.sample(range(600), 300)
    }
    events = [fail(index, *how) for index, how in found.items()]
    # Jobs that run again, or have ended well after all, are no failures.
    again = chance.sample(sorted(found), 60)
    for place, index in enumerate(again):
        named = {"task": "t", "process": "a", "index": index}
        if place % 2:
            events.append(named | {"eventClass": "STARTED", "sentAt": "2026-11-25T00:00:00Z"})
        else:
            events.append(named | {"eventClass": "DONE", "sentAt": "2026-11-25T00:00:00Z"})
        del found[index]
    server.submit_many(events[:200])
    server.submit_many(events[200:])
    yield found
    server.check_counters("t")


def test_groups_of_an_array(
    server: Server, failures: dict[int, tuple[Failure, str | None]]
) -> None:
    """By cause, with their hosts, times, indices and a sample: as computed from what was sent."""
    groups = server.graphql(OF_ARRAY)["process"]["failureGroups"]
    assert shown(groups) == expected(failures)
    for group in groups:
        last = max(indices_of(group["indices"]))
        assert group["firstAt"].startswith(
            fail(group["sample"]["index"], *CAUSE_HOST)["sentAt"][:19]
        )
        assert group["lastAt"].startswith(fail(last, *CAUSE_HOST)["sentAt"][:19])
    (largest,) = server.graphql(OF_ARRAY, first=1)["process"]["failureGroups"]
    assert largest == groups[0]


CAUSE_HOST = (CAUSES[0], None)


def test_groups_by_other_keys(
    server: Server, failures: dict[int, tuple[Failure, str | None]]
) -> None:
    """By host, by exit code, and all together."""
    by_host = server.graphql(OF_ARRAY, by=["HOST"])["process"]["failureGroups"]
    hosts = Counter(host for _, host in failures.values())
    assert {group["hostname"]: group["count"] for group in by_host} == dict(hosts)
    assert all(group["message"] is None and group["exitCode"] is None for group in by_host)
    by_exit = server.graphql(OF_ARRAY, by=["EXIT"])["process"]["failureGroups"]
    exits = Counter((cause.exit_code, cause.signal) for cause, _ in failures.values())
    assert {(g["exitCode"], g["signal"]): g["count"] for g in by_exit} == dict(exits)
    (everything,) = server.graphql(OF_ARRAY, by=[])["process"]["failureGroups"]
    assert indices_of(everything["indices"]) == set(failures)
    all_keys = server.graphql(OF_ARRAY, by=["HOST", "MESSAGE", "EXIT"], first=50)
    assert sum(g["count"] for g in all_keys["process"]["failureGroups"]) == len(failures)


def test_groups_of_a_task(server: Server, failures: dict[int, tuple[Failure, str | None]]) -> None:
    """The failures of all processes together; indices follow the name of their process."""
    server.submit_many([fail(index, CAUSES[3], "n9", "b") for index in (5, 7, 8, 9)])
    solitary = fail(3, CAUSES[3], "n9", "merge")
    del solitary["index"]
    server.submit_many([solitary])
    groups = server.graphql(OF_TASK)["task"]["failureGroups"]
    killed = next(group for group in groups if group["signal"] == "SIGKILL")
    own = {index for index, (cause, _) in failures.items() if cause is CAUSES[3]}
    assert killed["count"] == len(own) + 5
    parts = dict(part.rstrip("]").split("[") for part in killed["indices"].split(" "))
    assert (indices_of(parts["a"]), parts["b"], parts["merge"]) == (own, "5,7-9", "0")
    assert sum(group["count"] for group in groups) == len(failures) + 5


def test_jobs_are_found_by_what_they_told(
    server: Server, failures: dict[int, tuple[Failure, str | None]]
) -> None:
    """The filter of jobs, their number and their indices agree with what was sent."""
    wanted: list[tuple[dict[str, Any], Any]] = [
        ({"hostnames": ["n1", "n3"]}, lambda cause, host: host in ("n1", "n3")),
        ({"exitCodes": [1]}, lambda cause, host: cause.exit_code == 1),
        ({"exitCodes": []}, lambda cause, host: False),
        ({"signals": ["SIGKILL", "SIGABRT"]}, lambda cause, host: cause.signal is not None),
        ({"message": "NO SUCH"}, lambda cause, host: cause is CAUSES[1]),
        (
            {"states": ["FAILED"], "exitCodes": [1], "hostnames": ["n2"]},
            lambda cause, host: cause.exit_code == 1 and host == "n2",
        ),
        ({"states": ["DONE"], "exitCodes": [1]}, lambda cause, host: False),
        ({"liveness": "LOST", "hostnames": ["n2"]}, lambda cause, host: False),
    ]
    for given, matches in wanted:
        found = server.graphql(
            """query($filter: JobFilter) { process(task: "t", name: "a") { ... on JobArray {
              indices(filter: $filter)
              jobs(first: 100, filter: $filter) { totalCount nodes { index state } } } } }""",
            filter={"states": ["FAILED"], **given} if "liveness" not in given else given,
        )["process"]
        expected_indices = sorted(
            index for index, (cause, host) in failures.items() if matches(cause, host)
        )
        if "states" in given and given["states"] == ["DONE"]:
            expected_indices = []
        assert indices_of(found["indices"]) == set(expected_indices), given
        assert found["jobs"]["totalCount"] == len(expected_indices)
        assert [job["index"] for job in found["jobs"]["nodes"]] == expected_indices[:100]


CAUSES_OF = """query($by: [FailureKey!]) { process(task: "t", name: "a") { ... on JobArray {
  failureGroups(by: $by, first: 50) { exitCode signal message hostname count indices hostCount
    hosts(first: 2) { hostname count } all: hosts { hostname count }
    processes { name count indices } } } } }"""
OF_CAUSE = """query($cause: FailureCause!) {
  process(task: "t", name: "a") { ... on JobArray {
    failureGroups(cause: $cause) { exitCode signal message hostname count indices }
    indices(filter: {cause: $cause})
    failed: indices(filter: {cause: $cause, states: [FAILED, DONE]})
    done: indices(filter: {cause: $cause, states: [DONE]})
    jobs(first: 100, filter: {cause: $cause}) { totalCount nodes { index } } } }
  task(name: "t") { failureGroups(cause: $cause) { count processes { name count indices } } } }"""


@pytest.mark.parametrize("by", [["EXIT", "MESSAGE"], ["EXIT"], ["HOST", "MESSAGE"], []])
def test_jobs_of_a_cause(
    server: Server, failures: dict[int, tuple[Failure, str | None]], by: list[str]
) -> None:
    """Each group is found again by its cause, and so are its jobs and their indices."""
    cause = failures[min(failures)][0]
    alone = fail(0, cause, "n9", "merge")
    del alone["index"]
    server.submit_many([fail(7, cause, "n9", "b"), alone])
    groups = server.graphql(CAUSES_OF, by=by)["process"]["failureGroups"]
    for group in groups:
        assert group["hostCount"] == len(group["all"])
        assert group["hosts"] == group["all"][:2]
        parts = [{"name": "a", "count": group["count"], "indices": group["indices"]}]
        assert group["processes"] == parts
        fields = ("exitCode", "signal", "message", "hostname")
        found = server.graphql(OF_CAUSE, cause={"by": by} | {name: group[name] for name in fields})
        array = found["process"]
        (only,) = array["failureGroups"]
        assert only == {name: group[name] for name in (*fields, "count", "indices")}
        assert array["indices"] == array["failed"] == group["indices"]
        assert array["done"] == ""
        assert array["jobs"]["totalCount"] == group["count"]
        assert [job["index"] for job in array["jobs"]["nodes"]] == sorted(
            indices_of(group["indices"])
        )[:100]
        (of_task,) = found["task"]["failureGroups"]
        assert of_task["processes"][0] == parts[0]
        others = [(part["name"], part["indices"]) for part in of_task["processes"][1:]]
        assert others in ([], [("b", "7"), ("merge", None)])
    none = server.graphql(OF_CAUSE, cause={"exitCode": 99})["process"]
    assert (none["failureGroups"], none["indices"], none["jobs"]["totalCount"]) == ([], "", 0)


def test_a_form_that_is_not_its_own_form(server: Server) -> None:
    """A group is found by the form of its messages, even where that would have another form."""
    server.create("t", {"name": "a", "jobCount": 9})
    for index, message in ((1, "step 3/9 failed"), (2, "step 4/9 failed"), (3, "step failed")):
        server.submit("t", "a", "FAILED", index=index, message=message)
    cause = {"message": "step #/# failed"}
    found = server.graphql(OF_CAUSE, cause=cause)["process"]
    assert (found["indices"], found["failureGroups"][0]["message"]) == ("1-2", cause["message"])


def test_wrong_arguments(server: Server) -> None:
    """What makes no sense is told with its code."""
    server.create("t", {"name": "a", "jobCount": 3})
    assert server.graphql_error(OF_ARRAY, first=0)["extensions"]["code"] == "PAGE_SIZE_INVALID"
    both = """{ process(task: "t", name: "a") { ... on JobArray {
      indices(states: [FAILED], filter: {states: [DONE]}) } } }"""
    assert server.graphql_error(both)["extensions"]["code"] == "ARGUMENT_INVALID"
    assert server.graphql(OF_ARRAY)["process"]["failureGroups"] == []


@pytest.mark.slow
@pytest.mark.timed
@pytest.mark.timeout(300)
def test_fifty_thousand_failures_of_a_million_jobs(
    database_url: str, start_server: StartServer
) -> None:
    """Twelve causes on 300 hosts: right, and as quick as SQL that groups the rows."""
    server = start_server(database_url)
    server.create("t", {"name": "a", "jobCount": 1_000_000})
    chance = random.Random(14)
    causes = [
        Failure(code, None, f"cause {name}: step {{}} failed", f"cause {name}: step # failed")
        for code, name in enumerate("abcdefghijkl", 1)
    ]
    failures: dict[int, tuple[Failure, str | None]] = {
        index: (chance.choice(causes), f"node{chance.randrange(300):03}")
        for index in chance.sample(range(1_000_000), 50_000)
    }
    events = [fail(index, *how) for index, how in failures.items()]
    for begin in range(0, len(events), 1000):
        server.submit_many(events[begin : begin + 1000])
    groups = server.graphql(OF_ARRAY)["process"]["failureGroups"]
    assert shown(groups) == expected(failures)

    # PostgreSQL visits the rows of the table; SQLite has all in the index.
    most = 1.0
    engine = create_engine(load(database_url=database_url))
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            most = 3.0
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(text("VACUUM (ANALYZE) job"))  # as it does by itself in a minute

        def grouped() -> None:
            assert len(connection.execute(text(PLAIN_GROUPS)).all()) == len(causes)

        def answered() -> None:
            assert len(server.graphql(CAUSES_OF_ARRAY)["process"]["failureGroups"]) == len(causes)

        times = [(seconds(answered), seconds(grouped)) for _ in range(15)]
    engine.dispose()
    # The smallest of each: what else the machine does, delays the longer ones.
    answer_s, plain_s = map(min, zip(*times, strict=True))
    assert answer_s < most * plain_s, times

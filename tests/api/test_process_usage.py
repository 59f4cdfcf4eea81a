"""How long the jobs of a process took, and what they used: close to what was sent."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.harness import Server

USAGE = """query($name: String!) { process(task: "t", name: $name) { usage {
  duration { count mean min median p95 max histogram { begin end count } }
  memory { count median p95 max requested } efficiency
  stragglers { longerThan count indices } } } }"""
BEGIN = datetime(2026, 11, 24, tzinfo=UTC)


def usage(server: Server, name: str = "a") -> dict[str, Any]:
    """What is shown of a process."""
    found: dict[str, Any] = server.graphql(USAGE, name=name)["process"]["usage"]
    return found


def life(index: int | None, seconds: float, end: str, process: str = "a", **used: Any) -> Any:
    """The start and the end of a job."""
    named = {"task": "t", "process": process} | ({} if index is None else {"index": index})
    ended = (BEGIN + timedelta(seconds=seconds)).isoformat()
    return [
        named | {"eventClass": "STARTED", "sentAt": BEGIN.isoformat()},
        named | {"eventClass": end, "sentAt": ended, "usage": used},
    ]


def test_nothing_is_known(server: Server) -> None:
    """A process without jobs that ended has no statistics."""
    server.create("t", {"name": "a", "jobCount": 3})
    assert usage(server) == {
        "duration": None,
        "memory": None,
        "efficiency": None,
        "stragglers": None,
    }


def test_it_is_close_to_what_was_sent(server: Server) -> None:
    """Durations of DONE jobs, memory and CPU of all that ended; a restarted job is taken out."""
    server.create("t", {"name": "a", "jobCount": 200}, {"name": "merge"})
    chance = random.Random(14)
    seconds = [chance.lognormvariate(6, 1) for _ in range(100)]
    memory = [chance.uniform(1e9, 4e9) for _ in range(100)]
    events = [
        event
        for index in range(100)
        for event in life(
            index,
            seconds[index],
            "DONE" if index % 10 else "FAILED",
            maxRssBytes=memory[index],
            requestedMemoryBytes=4e9,
            cpuSeconds=seconds[index],
            wallSeconds=seconds[index],
            cpus=4,
        )
    ]
    again = {"task": "t", "process": "a", "index": 1, "eventClass": "STARTED"}
    events.append(again | {"sentAt": (BEGIN + timedelta(days=2)).isoformat()})
    server.submit_many(events)
    found = usage(server)
    done = sorted(seconds[index] for index in range(100) if index % 10 and index != 1)
    used = sorted(memory[index] for index in range(100) if index != 1)
    duration = found["duration"]
    assert (duration["count"], sum(b["count"] for b in duration["histogram"])) == (89, 89)
    assert duration["mean"] == pytest.approx(sum(done) / 89, abs=0.01)
    for name, place in (("min", 0), ("median", 44), ("p95", 84), ("max", 88)):
        assert duration[name] == pytest.approx(done[place], rel=0.04), name
    for name, place in (("median", 49), ("p95", 94), ("max", 98)):
        assert found["memory"][name] == pytest.approx(used[place], rel=0.04), name
    assert (found["memory"]["count"], found["memory"]["requested"]) == (99, 4e9)
    assert found["efficiency"] == pytest.approx(0.25, rel=1e-3)
    server.check_counters("t")


def test_stragglers(server: Server) -> None:
    """Jobs that run longer than 1.5 times what 95 % of the DONE ones took are listed."""
    server.create("t", {"name": "a", "jobCount": 50}, {"name": "b", "jobCount": 2})
    events = [event for index in range(20) for event in life(index, 60, "DONE")]
    now = datetime.now(UTC)
    for index, age in ((20, 10), (21, 80), (30, 100), (31, 1000), (33, 95)):
        started = {"task": "t", "process": "a", "index": index, "eventClass": "STARTED"}
        events.append(started | {"sentAt": (now - timedelta(seconds=age)).isoformat()})
    server.submit_many(events)
    assert usage(server)["stragglers"] == {"longerThan": 90, "count": 3, "indices": "30-31,33"}
    assert usage(server, "b")["stragglers"] is None
    both = server.graphql(
        '{ task(name: "t") { processes { nodes { name usage { stragglers { count } } } } } }'
    )["task"]["processes"]["nodes"]
    assert both == [
        {"name": "a", "usage": {"stragglers": {"count": 3}}},
        {"name": "b", "usage": {"stragglers": None}},
    ]


def test_a_solitary_process(server: Server) -> None:
    """Its one job has statistics, too."""
    server.create("t", {"name": "merge"})
    server.submit_many(life(None, 60, "DONE", "merge", maxRssBytes=1e9))
    found = usage(server, "merge")
    assert (found["duration"]["median"], found["memory"]["max"]) == (60, 1e9)
    assert found["stragglers"] == {"longerThan": 90, "count": 0, "indices": ""}


def test_slow_hosts_come_first(server: Server) -> None:
    """By the mean of their DONE jobs; hosts with failures only come last, by name."""
    server.create("t", {"name": "a", "jobCount": 10, "firstIndex": 5})
    lives: list[tuple[str | None, float, str]] = [
        ("fast", 10, "DONE"),
        ("fast", 20, "DONE"),
        ("slow", 90.5, "DONE"),
    ]
    lives += [("slow", 1, "FAILED"), ("bad", 5, "TERMINATED"), (None, 7, "FAILED")]
    events = [
        {**event, "hostname": host}
        for index, (host, seconds, end) in enumerate(lives, 5)
        for event in life(index, seconds, end)
    ]
    server.submit_many(
        [*events, {"task": "t", "process": "a", "index": 14, "eventClass": "STARTED"}]
    )
    query = """query($first: Int!) { process(task: "t", name: "a") { usage { hosts(first: $first) {
      hostname done unsuccessful meanDuration } } } }"""
    hosts = server.graphql(query, first=20)["process"]["usage"]["hosts"]
    shown = [(h["hostname"], h["done"], h["unsuccessful"]) for h in hosts]
    assert shown == [("slow", 1, 1), ("fast", 2, 0), ("bad", 0, 1), (None, 0, 1)]
    means = [host["meanDuration"] for host in hosts]
    assert means == [pytest.approx(90.5, abs=0.002), pytest.approx(15, abs=0.002), None, None]
    assert server.graphql(query, first=1)["process"]["usage"]["hosts"] == hosts[:1]
    error = server.graphql_error(query, first=0)
    assert error["extensions"]["code"] == "PAGE_SIZE_INVALID"


def test_what_jobs_used_on_each_host(server: Server) -> None:
    """The memory of those that told it, and the CPU time of those that told all of it."""
    server.create("t", {"name": "a", "jobCount": 6})
    full = {"cpuSeconds": 30, "wallSeconds": 60, "cpus": 2}
    lives: list[tuple[str, str, dict[str, Any]]] = [
        ("one", "DONE", {"maxRssBytes": 1e9, **full}),
        ("one", "DONE", {"maxRssBytes": 3e9}),
        ("one", "FAILED", {"cpuSeconds": 60, "wallSeconds": 60, "cpus": 1}),
        ("one", "DONE", {"cpuSeconds": 1e6}),
        ("two", "DONE", {"wallSeconds": 60, "cpus": 2}),
        ("zero", "DONE", {**full, "cpus": 0}),
    ]
    results = server.submit_many(
        [
            {**event, "hostname": host}
            for index, (host, end, used) in enumerate(lives)
            for event in life(index, 60, end, **used)
        ]
    )
    assert all(result["userErrors"] == [] for result in results)
    hosts = server.graphql(
        """{ process(task: "t", name: "a") { usage { hosts {
          hostname meanMemory efficiency } } } }"""
    )["process"]["usage"]["hosts"]
    assert {host.pop("hostname"): host for host in hosts} == {
        "one": {"meanMemory": 2e9, "efficiency": 0.5},
        "two": {"meanMemory": None, "efficiency": None},
        "zero": {"meanMemory": None, "efficiency": None},
    }

"""A few simulated tasks that together show every row of the progress table, and what goes wrong."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from rich.console import Console

from lamia_gql.commands.remote import Remote
from lamia_gql.commands.simulation import Address, Emit, Simulation
from lamia_gql.domain.lifecycle import EventClass

SPAN = 180.0
"""Simulated seconds that the demonstration takes, at any speed."""
HOSTS = [f"node{number:02}.example.org" for number in range(1, 13)]
BAD_HOST = HOSTS[6]


def demo(url: str, minutes: float) -> None:
    """Run the demonstration on the server at ``url``. Raises :class:`RemoteError`."""
    stamp = f"{datetime.now():%Y%m%d-%H%M%S}"
    console = Console(stderr=True)
    with Remote(url) as remote:
        simulation = Simulation(remote, SPAN / (60 * minutes))
        chance = random.Random(1)  # noqa: S311  (a simulation, no secret)
        for task in (_analysis(stamp), _search(stamp), _trouble(stamp, minutes)):
            remote.create_task(task)
            console.print(f"Running task {task['name']}", highlight=False, soft_wrap=True)
        _run_analysis(simulation, chance, f"analysis-{stamp}")
        _run_search(simulation, chance, f"search-{stamp}")
        _run_trouble(simulation, chance, f"trouble-{stamp}")
        simulation.run(lambda _number: None)
    console.print("The demonstration is over.", highlight=False)


def _task(name: str, comment: str, processes: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": name,
        "username": "ada",
        "comment": comment,
        "tags": ["demo"],
        "hostname": "login.example.org",
        "config": {"release": "2026.11", "energy": 13.6},
        "processes": processes,
    }


def _analysis(stamp: str) -> dict[str, Any]:
    return _task(
        f"analysis-{stamp}",
        "Jobs that report nothing, percentages, and events against a threshold.",
        [
            {"name": "prepare"},
            {"name": "opaque", "jobCount": 200},
            {"name": "histograms", "jobCount": 40, "beatInterval": 60},
            {"name": "events", "jobCount": 30, "threshold": 100_000},
            {"name": "calibrate", "threshold": 1},
            {"name": "export", "threshold": 500},
            {"name": "merge"},
        ],
    )


def _run_analysis(simulation: Simulation, chance: random.Random, task: str) -> None:
    simulation.add(Address(task, "prepare"), _percent(0, 20), HOSTS[0])
    for index in range(200):
        end = chance.uniform(20, SPAN)
        host = chance.choice(HOSTS)
        simulation.add(Address(task, "opaque", index), iter([Emit(end, EventClass.DONE)]), host)
    for index in range(40):
        begin = chance.uniform(0, 60)
        life = _percent(begin, chance.uniform(30, SPAN - begin))
        simulation.add(Address(task, "histograms", index), life, chance.choice(HOSTS))
    for index in range(30):
        # Together they pass the threshold: jobs look up only now and then.
        life = _counting(simulation, (task, "events"), chance.uniform(0, 30), chance.random())
        simulation.add(Address(task, "events", index), life, chance.choice(HOSTS))
    simulation.add(Address(task, "calibrate"), _opaque(10, 60), HOSTS[1])
    simulation.add(Address(task, "export"), _files(40, 12), HOSTS[2])
    simulation.add(Address(task, "merge"), _opaque(SPAN - 30, 20), HOSTS[0])


def _search(stamp: str) -> dict[str, Any]:
    return _task(
        f"search-{stamp}",
        "Searches that stop when enough was found, and the first of many jobs.",
        [
            {"name": "needle", "jobCount": 50, "threshold": 1},
            {"name": "first-twenty", "jobCount": 60, "threshold": 20},
        ],
    )


def _run_search(simulation: Simulation, chance: random.Random, task: str) -> None:
    for index in range(50):
        end = 90.0 if index == 17 else SPAN
        life = _searching(simulation, (task, "needle"), end)
        simulation.add(Address(task, "needle", index), life, chance.choice(HOSTS))
    for index in range(60):
        life = _searching(simulation, (task, "first-twenty"), chance.uniform(20, SPAN))
        simulation.add(Address(task, "first-twenty", index), life, chance.choice(HOSTS))


def _trouble(stamp: str, minutes: float) -> dict[str, Any]:
    # The silent jobs must become LATE, then LOST, while somebody watches.
    beat = max(0.5, 60 * minutes / 20)
    return _task(
        f"trouble-{stamp}",
        "Failures within tolerance and beyond, a bad node, silence, restarts.",
        [
            {"name": "tolerant", "jobCount": 50, "failureTolerance": 10},
            {"name": "hopeless", "jobCount": 50, "failureTolerance": 2},
            {"name": "silent", "jobCount": 10, "beatInterval": beat},
            {"name": "restarted", "jobCount": 5},
        ],
    )


def _run_trouble(simulation: Simulation, chance: random.Random, task: str) -> None:
    for index in range(50):
        fails = index % 9 == 4
        life = _opaque(chance.uniform(0, 40), chance.uniform(20, 120), fails)
        host = BAD_HOST if fails else chance.choice(HOSTS)
        simulation.add(Address(task, "tolerant", index), life, host)
        host = chance.choice(HOSTS)
        life = _opaque(chance.uniform(0, 40), chance.uniform(20, 130), host in (BAD_HOST, HOSTS[2]))
        simulation.add(Address(task, "hopeless", index), life, host)
    for index in range(10):
        life = _percent(0, SPAN - 5)
        if index >= 7:
            life = iter([Emit(2.0, EventClass.STARTED), Emit(10.0, EventClass.BEAT)])
        simulation.add(Address(task, "silent", index), life, HOSTS[index])
    for index in range(5):
        simulation.add(Address(task, "restarted", index), _restarted(), HOSTS[index])


def _opaque(begin: float, runtime: float, fails: bool = False) -> Iterator[Emit]:
    yield Emit(0.0, EventClass.SUBMITTED)
    yield Emit(begin, EventClass.STARTED)
    yield Emit(runtime / 2, EventClass.BEAT)
    if fails:
        trace = {"exitCode": 139, "stderr": "segmentation violation"}
        yield Emit(runtime / 2, EventClass.FAILED, payload=trace)
    else:
        yield Emit(runtime / 2, EventClass.DONE)


def _percent(begin: float, runtime: float) -> Iterator[Emit]:
    yield Emit(0.0, EventClass.SUBMITTED)
    yield Emit(begin, EventClass.STARTED)
    for tenth in range(1, 10):
        yield Emit(runtime / 10, EventClass.PROGRESS, 10.0 * tenth)
    yield Emit(runtime / 10, EventClass.DONE)


def _files(begin: float, number: int) -> Iterator[Emit]:
    yield Emit(begin, EventClass.STARTED)
    for files in range(1, number + 1):
        payload = {"file": f"part-{files}.root"}
        yield Emit(10.0, EventClass.PROGRESS, 50.0 * files, payload=payload)
    yield Emit(1.0, EventClass.DONE)


def _counting(
    simulation: Simulation, process: tuple[str, str], begin: float, luck: float
) -> Iterator[Emit]:
    yield Emit(begin, EventClass.STARTED)
    counted, rate = 0.0, 20 + 40 * luck
    while process not in simulation.enough and counted < 8_000:
        counted += 10 * rate
        yield Emit(10.0, EventClass.PROGRESS, counted)
    yield Emit(1.0, EventClass.DONE)


def _searching(simulation: Simulation, process: tuple[str, str], end: float) -> Iterator[Emit]:
    yield Emit(1.0, EventClass.STARTED)
    passed = 1.0
    while passed + 5.0 < end:
        if process in simulation.enough:
            yield Emit(0.5, EventClass.TERMINATED, payload={"reason": "enough"})
            return
        passed += 5.0
        yield Emit(5.0, EventClass.BEAT)
    yield Emit(end - passed, EventClass.DONE)


def _restarted() -> Iterator[Emit]:
    yield from _percent(0.0, 60.0)
    yield Emit(10.0, EventClass.STARTED, payload={"reason": "the output was lost"})
    yield Emit(30.0, EventClass.PROGRESS, 30.0)
    yield Emit(50.0, EventClass.DONE)

"""Simulated tasks that show every kind of progress, and what can go wrong."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.console import Console

from lamia_gql.commands.server_client import ServerClient
from lamia_gql.commands.simulation import JobAddress, SimulatedEvent, SimulatedJob, Simulation
from lamia_gql.domain.lifecycle import EventClass

DURATION_S = 180.0
"""The duration of the demo on the simulated clock."""
HOSTS = [f"node{number:02}.example.org" for number in range(1, 13)]
BAD_HOST = HOSTS[6]
CRASH: Mapping[str, Any] = {
    "exit_code": 139,
    "signal": "SIGSEGV",
    "message": "segmentation violation",
}


def demo(url: str, minutes: float) -> None:
    """Run the demo on the server at ``url``, in so many minutes.

    Raises :class:`ServerClientError`.
    """
    stamp = f"{datetime.now():%Y%m%d-%H%M%S}"
    console = Console(stderr=True)
    with ServerClient(url) as client:
        simulation = Simulation(client, DURATION_S / (60 * minutes))
        rng = random.Random(1)  # noqa: S311  (a simulation, no secret)
        for task in (_analysis_task(stamp), _search_task(stamp), _trouble_task(stamp, minutes)):
            client.create_task(task)
            console.print(f"Running task {task['name']}", highlight=False, soft_wrap=True)
        _run_analysis(simulation, rng, f"analysis-{stamp}")
        _run_search(simulation, rng, f"search-{stamp}")
        _run_trouble(simulation, rng, f"trouble-{stamp}")
        simulation.run(on_stored=lambda _number: None)
    console.print("The demo has ended.", highlight=False)


def _task(
    name: str,
    comment: str,
    processes: list[dict[str, Any]],
    dependencies: dict[str, list[str]] | None = None,
) -> dict[str, Any]:
    return {
        "name": name,
        "username": "ada",
        "comment": comment,
        "tags": ["demo"],
        "hostname": "login.example.org",
        "config": {"release": "2026.11", "energy": 13.6},
        "dependencies": dependencies,
        "processes": processes,
    }


def _analysis_task(stamp: str) -> dict[str, Any]:
    return _task(
        f"analysis-{stamp}",
        "Jobs that report nothing, percentages, or numbers against a threshold.",
        [
            {"name": "prepare"},
            {"name": "opaque", "jobCount": 200},
            {"name": "histograms", "jobCount": 40, "beatInterval": 60},
            {"name": "events", "jobCount": 30, "threshold": 100_000},
            {"name": "calibrate", "threshold": 1},
            {"name": "export", "threshold": 500},
            {"name": "merge"},
        ],
        {
            "opaque": ["prepare"],
            "histograms": ["prepare"],
            "events": ["calibrate"],
            "export": ["opaque", "events"],
            "merge": ["histograms", "export"],
        },
    )


def _run_analysis(simulation: Simulation, rng: random.Random, task: str) -> None:
    simulation.add(JobAddress(task, "prepare"), _with_percents(0, 20), HOSTS[0])
    for index in range(200):
        end = rng.uniform(20, DURATION_S)
        host = rng.choice(HOSTS)
        simulation.add(
            JobAddress(task, "opaque", index), iter([SimulatedEvent(end, EventClass.DONE)]), host
        )
    for index in range(40):
        begin = rng.uniform(0, 60)
        job = _with_percents(begin, rng.uniform(30, DURATION_S - begin))
        simulation.add(JobAddress(task, "histograms", index), job, rng.choice(HOSTS))
    for index in range(30):
        # Together they exceed the threshold, because jobs check it only now and then.
        job = _until_enough(simulation, (task, "events"), rng.uniform(0, 30), rng.random())
        simulation.add(JobAddress(task, "events", index), job, rng.choice(HOSTS))
    simulation.add(JobAddress(task, "calibrate"), _without_progress(10, 60), HOSTS[1])
    simulation.add(JobAddress(task, "export"), _per_file(40, 12), HOSTS[2])
    simulation.add(JobAddress(task, "merge"), _without_progress(DURATION_S - 30, 20), HOSTS[0])


def _search_task(stamp: str) -> dict[str, Any]:
    return _task(
        f"search-{stamp}",
        "Searches that stop when enough is found, and an array that needs twenty of its jobs.",
        [
            {"name": "needle", "jobCount": 50, "threshold": 1},
            {"name": "first-twenty", "jobCount": 60, "threshold": 20},
        ],
    )


def _run_search(simulation: Simulation, rng: random.Random, task: str) -> None:
    for index in range(50):
        end = 90.0 if index == 17 else DURATION_S
        job = _search_job(simulation, (task, "needle"), end)
        simulation.add(JobAddress(task, "needle", index), job, rng.choice(HOSTS))
    for index in range(60):
        job = _search_job(simulation, (task, "first-twenty"), rng.uniform(20, DURATION_S))
        simulation.add(JobAddress(task, "first-twenty", index), job, rng.choice(HOSTS))


def _trouble_task(stamp: str, minutes: float) -> dict[str, Any]:
    # Short enough for the silent jobs to become LATE and then LOST during the demo.
    beat = max(0.5, 60 * minutes / 20)
    return _task(
        f"trouble-{stamp}",
        "Failures within and beyond tolerance, a bad node, silent jobs, restarts.",
        [
            {"name": "tolerant", "jobCount": 50, "failureTolerance": 10},
            {"name": "hopeless", "jobCount": 50, "failureTolerance": 2},
            {"name": "silent", "jobCount": 10, "beatInterval": beat},
            {"name": "restarted", "jobCount": 5},
        ],
    )


def _run_trouble(simulation: Simulation, rng: random.Random, task: str) -> None:
    for index in range(50):
        fails = index % 9 == 4
        failure: Mapping[str, Any] | None = _read_error(index) if fails else None
        job = _without_progress(rng.uniform(0, 40), rng.uniform(20, 120), failure)
        host = BAD_HOST if fails else rng.choice(HOSTS)
        simulation.add(JobAddress(task, "tolerant", index), job, host)
        host = rng.choice(HOSTS)
        failure = {BAD_HOST: _read_error(index), HOSTS[2]: CRASH}.get(host)
        job = _without_progress(rng.uniform(0, 40), rng.uniform(20, 130), failure)
        simulation.add(JobAddress(task, "hopeless", index), job, host)
    for index in range(10):
        job = _with_percents(0, DURATION_S - 5)
        if index >= 7:
            job = iter(
                [SimulatedEvent(2.0, EventClass.STARTED), SimulatedEvent(10.0, EventClass.BEAT)]
            )
        simulation.add(JobAddress(task, "silent", index), job, HOSTS[index])
    for index in range(5):
        simulation.add(JobAddress(task, "restarted", index), _with_restart(), HOSTS[index])


def _read_error(index: int) -> Mapping[str, Any]:
    return {"exit_code": 74, "message": f"input/output error on /scratch/run-{index}.root"}


def _without_progress(
    begin: float, runtime: float, failure: Mapping[str, Any] | None = None
) -> SimulatedJob:
    yield SimulatedEvent(0.0, EventClass.SUBMITTED)
    yield SimulatedEvent(begin, EventClass.STARTED)
    yield SimulatedEvent(runtime / 2, EventClass.BEAT)
    if failure:
        trace = {"stderr": ["reading the configuration", failure["message"]]}
        yield SimulatedEvent(runtime / 2, EventClass.FAILED, payload=trace, **failure)
    else:
        yield SimulatedEvent(runtime / 2, EventClass.DONE)


def _with_percents(begin: float, runtime: float, submitted: float = 0.0) -> SimulatedJob:
    yield SimulatedEvent(submitted, EventClass.SUBMITTED)
    yield SimulatedEvent(begin, EventClass.STARTED)
    for tenth in range(1, 10):
        yield SimulatedEvent(runtime / 10, EventClass.PROGRESS, 10.0 * tenth)
    yield SimulatedEvent(runtime / 10, EventClass.DONE)


def _per_file(begin: float, number: int) -> SimulatedJob:
    yield SimulatedEvent(begin, EventClass.STARTED)
    for files in range(1, number + 1):
        payload = {"file": f"part-{files}.root"}
        yield SimulatedEvent(10.0, EventClass.PROGRESS, 50.0 * files, payload=payload)
    yield SimulatedEvent(1.0, EventClass.DONE)


def _until_enough(
    simulation: Simulation, process: tuple[str, str], begin: float, rate_factor: float
) -> SimulatedJob:
    yield SimulatedEvent(begin, EventClass.STARTED)
    counted, rate = 0.0, 20 + 40 * rate_factor
    while process not in simulation.enough and counted < 8_000:
        counted += 10 * rate
        yield SimulatedEvent(10.0, EventClass.PROGRESS, counted)
    yield SimulatedEvent(1.0, EventClass.DONE)


def _search_job(simulation: Simulation, process: tuple[str, str], end: float) -> SimulatedJob:
    yield SimulatedEvent(1.0, EventClass.STARTED)
    passed = 1.0
    while passed + 5.0 < end:
        if process in simulation.enough:
            yield SimulatedEvent(0.5, EventClass.TERMINATED, payload={"reason": "enough"})
            return
        passed += 5.0
        yield SimulatedEvent(5.0, EventClass.BEAT)
    yield SimulatedEvent(end - passed, EventClass.DONE)


def _with_restart() -> SimulatedJob:
    yield SimulatedEvent(0.0, EventClass.SUBMITTED)
    yield SimulatedEvent(2.0, EventClass.HELD, message="waits for the input data")
    yield from _with_percents(0.0, 60.0, submitted=13.0)
    yield SimulatedEvent(10.0, EventClass.STARTED, payload={"reason": "the output was lost"})
    yield SimulatedEvent(30.0, EventClass.PROGRESS, 30.0)
    yield SimulatedEvent(50.0, EventClass.DONE)

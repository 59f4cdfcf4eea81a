"""Replays a recorded workflow execution: real runtimes and machines, live events."""

from __future__ import annotations

import random
from datetime import datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lamia_gql.commands.server_client import ServerClient
from lamia_gql.commands.simulation import JobAddress, SimulatedEvent, SimulatedJob, Simulation
from lamia_gql.commands.wfformat import ExecutedJob, Execution, read_execution
from lamia_gql.domain.lifecycle import EventClass

REPORTED_PERCENTS = (20.0, 40.0, 60.0, 80.0)
EVENTS_PER_JOB = len(REPORTED_PERCENTS) + 4
"""SUBMITTED, STARTED, one BEAT, the PROGRESS events, and the end."""


def replay(
    path: str,
    url: str,
    *,
    name: str | None,
    speed: float,
    failure_probability: float,
    seed: int,
) -> None:
    """Replay an execution as a new task.

    Jobs that depend on a failed job run all the same, because the recorded execution is replayed
    and nothing is scheduled.

    Args:
        path: A file in WfFormat.
        url: The root address of the server.
        name: The name of the task. Defaults to the workflow's name and the time.
        speed: How many times faster than recorded; 0 does not wait.
        failure_probability: The probability that a job fails.
        seed: Seed of the random choice of failing jobs.

    Raises :class:`WfFormatError` and :class:`ServerClientError`.
    """
    execution = read_execution(path)
    task = name or f"{execution.name}-{datetime.now():%Y%m%d-%H%M%S}"
    rng = random.Random(seed)  # noqa: S311  (which simulated job fails is no secret)
    with ServerClient(url) as client:
        client.create_task(
            {
                "name": task,
                "comment": execution.description,
                "tags": ["replay"],
                "config": {"workflow": execution.name, "speed": speed},
                "dependencies": execution.dependencies,
                "processes": [
                    {"name": process, "jobCount": size}
                    for process, size in execution.processes.items()
                ],
            }
        )
        simulation = Simulation(client, speed, execution.makespan)
        for job in execution.jobs:
            fails = rng.random() < failure_probability
            address = JobAddress(task, job.process, job.index)
            simulation.add(address, _simulate(job, fails), job.machine)
        _run(simulation, task, execution)


def _run(simulation: Simulation, task: str, execution: Execution) -> None:
    console = Console(stderr=True)
    number = len(execution.jobs)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("events"),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        bar = progress.add_task(task, total=number * EVENTS_PER_JOB)
        simulation.run(lambda stored: progress.advance(bar, stored))
    console.print(f"Replayed {number} jobs as task {task}", highlight=False, soft_wrap=True)


def _simulate(job: ExecutedJob, fails: bool) -> SimulatedJob:
    yield SimulatedEvent(job.ready, EventClass.SUBMITTED)
    yield SimulatedEvent(job.start - job.ready, EventClass.STARTED, payload={"id": job.id})
    runtime, passed = job.end - job.start, 0.0
    for percent in REPORTED_PERCENTS:
        at = runtime * percent / 100
        yield SimulatedEvent(at - passed, EventClass.PROGRESS, percent)
        passed = at
        if percent == REPORTED_PERCENTS[1]:
            yield SimulatedEvent(0.0, EventClass.BEAT)
    end = EventClass.FAILED if fails else EventClass.DONE
    yield SimulatedEvent(runtime - passed, end, exit_code=int(fails), usage=job.usage)

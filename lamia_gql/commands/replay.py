"""Replaying an execution of a workflow: real runtimes, real machines, live events."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lamia_gql.commands.remote import Remote
from lamia_gql.commands.simulation import Address, Emit, Simulation
from lamia_gql.commands.wfformat import Plan, PlannedJob, read_plan
from lamia_gql.domain.lifecycle import EventClass

REPORTED = (20.0, 40.0, 60.0, 80.0)
"""The percentages that a job reports on its way."""
EVENTS_PER_JOB = len(REPORTED) + 4
"""Submitted, started, a beat, the reports, and the end."""


def replay(path: str, url: str, *, name: str | None, speed: float, fail: float, seed: int) -> None:
    """Replay a file on the server at ``url``, ``speed`` times as fast as it was; 0 does not wait.

    Each job fails with the probability ``fail``. What depends on a failed job runs all the same:
    it is the recorded execution that is replayed, and nothing is scheduled here. Raises
    :class:`FormatError` and :class:`RemoteError`.
    """
    plan = read_plan(path)
    task = name or f"{plan.name}-{datetime.now():%Y%m%d-%H%M%S}"
    chance = random.Random(seed)  # noqa: S311  (which simulated job fails is no secret)
    with Remote(url) as remote:
        remote.create_task(
            {
                "name": task,
                "comment": plan.description,
                "tags": ["replay"],
                "config": {"workflow": plan.name, "speed": speed},
                "dependencies": plan.dependencies,
                "processes": [
                    {"name": process, "jobCount": size} for process, size in plan.processes.items()
                ],
            }
        )
        simulation = Simulation(remote, speed, plan.makespan)
        for job in plan.jobs:
            fails = chance.random() < fail
            simulation.add(Address(task, job.process, job.index), _life(job, fails), job.machine)
        _run(simulation, task, plan)


def _run(simulation: Simulation, task: str, plan: Plan) -> None:
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("events"),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        bar = progress.add_task(task, total=len(plan.jobs) * EVENTS_PER_JOB)
        simulation.run(lambda number: progress.advance(bar, number))
    console.print(f"Replayed {len(plan.jobs)} jobs as task {task}", highlight=False, soft_wrap=True)


def _life(job: PlannedJob, fails: bool) -> Iterator[Emit]:
    yield Emit(0.0, EventClass.SUBMITTED)
    yield Emit(job.start, EventClass.STARTED, payload={"id": job.id})
    runtime, passed = job.end - job.start, 0.0
    for percent in REPORTED:
        at = runtime * percent / 100
        yield Emit(at - passed, EventClass.PROGRESS, percent)
        passed = at
        if percent == REPORTED[1]:
            yield Emit(0.0, EventClass.BEAT)
    if fails:
        yield Emit(runtime - passed, EventClass.FAILED, payload={"exitCode": 1})
    else:
        yield Emit(runtime - passed, EventClass.DONE, payload={"exitCode": 0})

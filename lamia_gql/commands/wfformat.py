"""Reads workflow executions in WfFormat 1.5 (https://github.com/wfcommons/wfformat)."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class WfFormatError(Exception):
    """The file is not an execution in WfFormat; a clause for the user, without its subject."""


@dataclass(frozen=True, slots=True)
class ExecutedJob:
    """A job of an execution; times are in seconds since its beginning."""

    id: str
    process: str
    index: int | None
    start: float
    end: float
    machine: str | None


@dataclass(frozen=True, slots=True)
class Execution:
    """A recorded execution, mapped to processes and jobs."""

    name: str
    description: str | None
    processes: dict[str, int | None]
    """The number of jobs of each array; None for a solitary process."""
    jobs: list[ExecutedJob]
    dependencies: dict[str, list[str]]
    """The ids of the jobs that a job waits for, by the job's id."""

    @property
    def makespan(self) -> float:
        """The end of the last job, in seconds since the beginning."""
        return max(job.end for job in self.jobs)


def read_execution(path: str) -> Execution:
    """Read an execution from a file.

    A program with several jobs becomes an array, one with a single job a solitary process. Start
    times are not recorded: a job starts when the last of its parents has ended. Raises
    :class:`WfFormatError`.
    """
    try:
        document = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise WfFormatError(f"it can't be read as JSON: {error}.") from error
    try:
        specified = {task["id"]: task for task in document["workflow"]["specification"]["tasks"]}
        executed = {task["id"]: task for task in document["workflow"]["execution"]["tasks"]}
        parents = {name: list(task.get("parents", [])) for name, task in specified.items()}
        programs = {name: str(task["command"]["program"]) for name, task in executed.items()}
        runtimes = {name: float(task["runtimeInSeconds"]) for name, task in executed.items()}
        machines = {name: (task.get("machines") or [None])[0] for name, task in executed.items()}
        workflow = str(document["name"])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise WfFormatError(f"it is not WfFormat 1.5: {error!r} is missing or wrong.") from error
    if not executed or set(executed) != set(specified):
        raise WfFormatError("its specification and its execution have different tasks, or none.")
    starts = _compute_starts(parents, runtimes)
    processes, places = _assign_jobs(programs)
    return Execution(
        workflow,
        document.get("description"),
        processes,
        [
            ExecutedJob(name, *places[name], starts[name], starts[name] + runtimes[name], machine)
            for name, machine in machines.items()
        ],
        parents,
    )


def _assign_jobs(
    programs: dict[str, str],
) -> tuple[dict[str, int | None], dict[str, tuple[str, int | None]]]:
    """Return the processes with their sizes, and the process and index of each job."""
    sizes = Counter(programs.values())
    processes: dict[str, int | None] = {}
    places: dict[str, tuple[str, int | None]] = {}
    next_index: Counter[str] = Counter()
    for job, program in programs.items():
        name = program.replace("/", "_").lstrip("@").strip() or "job"
        if sizes[program] == 1:
            processes[name] = None
            places[job] = (name, None)
        else:
            processes[name] = sizes[program]
            places[job] = (name, next_index[program])
            next_index[program] += 1
    if len(processes) != len(sizes):
        raise WfFormatError("two of its programs differ only in characters that names can't have.")
    return processes, places


def _compute_starts(parents: dict[str, list[Any]], runtimes: dict[str, float]) -> dict[str, float]:
    """Return the start of each job in seconds, by Kahn's algorithm."""
    children: dict[str, list[str]] = {name: [] for name in parents}
    waits = {name: len(found) for name, found in parents.items()}
    for name, found in parents.items():
        for parent in found:
            if parent not in children:
                raise WfFormatError(f"{name} waits for {parent}, which is not in it.")
            children[parent].append(name)
    starts = dict.fromkeys(parents, 0.0)
    ready = [name for name, number in waits.items() if number == 0]
    for name in ready:
        for child in children[name]:
            starts[child] = max(starts[child], starts[name] + runtimes[name])
            waits[child] -= 1
            if waits[child] == 0:
                ready.append(child)
    if len(ready) != len(parents):
        raise WfFormatError("its tasks wait for one another in a cycle.")
    return starts

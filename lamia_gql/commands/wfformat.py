"""Reads workflow executions in WfFormat 1.5 and 1.6 (https://github.com/wfcommons/wfformat)."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lamia_gql.commands.schedule import Times, UnorderedError, replay_times

MAX_NAME_CHARACTERS = 200
TAG = re.compile(r"\s*\(.*\)$", re.DOTALL)
"""What Nextflow appends to the name of a process: the sample."""
NUMBER = re.compile(r"(__.*)?_+(ID)?\d+$", re.DOTALL)
"""What WfCommons appends where each task has a name of its own: the sample, and a number."""
RUN_TOGETHER = re.compile(r"[\s/]+")
"""What names of processes can't have."""


class WfFormatError(Exception):
    """The file is not an execution in WfFormat; a clause for the user, without its subject."""


@dataclass(frozen=True, slots=True)
class ExecutedJob:
    """A job of an execution; times are in seconds since its beginning."""

    id: str
    process: str
    index: int | None
    ready: float
    """When its parents had ended."""
    start: float
    end: float
    machine: str | None
    usage: dict[str, float]
    """What it used, as far as that was recorded: see ``UsageInput`` of the schema."""


@dataclass(frozen=True, slots=True)
class Execution:
    """A recorded execution, mapped to processes and jobs."""

    name: str
    description: str | None
    processes: dict[str, int | None]
    """The number of jobs of each array; None for a solitary process."""
    jobs: list[ExecutedJob]
    dependencies: dict[str, list[str]]
    """The processes whose jobs the jobs of a process wait for, by the process."""

    @property
    def makespan(self) -> float:
        """The end of the last job, in seconds since the beginning."""
        return max(job.end for job in self.jobs)


def read_execution(path: str) -> Execution:
    """Read an execution from a file.

    The tasks of one name are the jobs of one process: an array if there are several. Names are
    those of the specification, without the sample that Nextflow appends. Where each task has a name
    of its own there, the program says which belong together, unless it is a whole script. See
    :func:`replay_times` for when the jobs run. Raises :class:`WfFormatError`.
    """
    try:
        document = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise WfFormatError(f"it can't be read as JSON: {error}.") from error
    try:
        workflow = document["workflow"]
        specified = {task["id"]: task for task in workflow["specification"]["tasks"]}
        executed = {task["id"]: task for task in workflow["execution"]["tasks"]}
        makespan = workflow["execution"].get("makespanInSeconds")
        if not executed or executed.keys() != specified.keys():
            raise WfFormatError("its specification and its execution have different tasks.")
        parents = {key: list(task.get("parents", [])) for key, task in specified.items()}
        steps = {key: _step(specified[key], task) for key, task in executed.items()}
        runtimes = {key: float(task["runtimeInSeconds"]) for key, task in executed.items()}
        times = replay_times(parents, runtimes, _starts(executed), makespan and float(makespan))
        processes, places = _assign_jobs(steps)
        return Execution(
            str(document["name"]),
            document.get("description"),
            processes,
            [_job(task, places[key], times[key], runtimes[key]) for key, task in executed.items()],
            _dependencies(parents, {key: process for key, (process, _) in places.items()}),
        )
    except UnorderedError as error:
        raise WfFormatError(str(error)) from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise WfFormatError(f"it is not WfFormat: {error!r} is missing or wrong.") from error


def _step(specified: Mapping[str, Any], executed: Mapping[str, Any]) -> str:
    """The name of the process that the task belongs to."""
    name = str(specified.get("name") or specified["id"])
    program = str((executed.get("command") or {}).get("program") or "")
    if name != specified["id"]:
        step = TAG.sub("", name)
    elif len(program.split()) == 1 and len(program) <= MAX_NAME_CHARACTERS:
        step = program
    else:
        step = NUMBER.sub("", name)
    step = RUN_TOGETHER.sub("_", step).lstrip("@")
    printable = "".join(character for character in step if character.isprintable())
    return printable[:MAX_NAME_CHARACTERS].strip(". ") or "job"


def _starts(executed: Mapping[str, Any]) -> dict[str, float]:
    """The starts that were recorded, in seconds since the first of them."""
    found = {}
    for key, task in executed.items():
        if task.get("executedAt"):
            at = datetime.fromisoformat(task["executedAt"])
            found[key] = at.replace(tzinfo=at.tzinfo or UTC).timestamp()
    first = min(found.values(), default=0.0)
    return {key: at - first for key, at in found.items()}


def _job(
    task: Mapping[str, Any], place: tuple[str, int | None], times: Times, runtime: float
) -> ExecutedJob:
    usage = {
        "cpuSeconds": None if task.get("avgCPU") is None else task["avgCPU"] / 100 * runtime,
        "wallSeconds": runtime,
        "maxRssBytes": task.get("memoryInBytes"),
        "readBytes": task.get("readBytes"),
        "writeBytes": task.get("writtenBytes"),
        "cpus": task.get("coreCount"),
    }
    return ExecutedJob(
        task["id"],
        *place,
        times.ready,
        times.start,
        times.start + runtime,
        (task.get("machines") or [None])[0],
        {name: float(value) for name, value in usage.items() if value is not None},
    )


def _dependencies(
    parents: Mapping[str, list[str]], processes: Mapping[str, str]
) -> dict[str, list[str]]:
    awaited: dict[str, set[str]] = {}
    for job, before in parents.items():
        process = processes[job]
        awaited.setdefault(process, set()).update(processes[parent] for parent in before)
    return {name: sorted(others - {name}) for name, others in awaited.items() if others - {name}}


def _assign_jobs(
    steps: Mapping[str, str],
) -> tuple[dict[str, int | None], dict[str, tuple[str, int | None]]]:
    """Return the processes with their sizes, and the process and index of each job."""
    sizes = Counter(steps.values())
    next_index: Counter[str] = Counter()
    places: dict[str, tuple[str, int | None]] = {}
    for job, process in steps.items():
        places[job] = (process, None if sizes[process] == 1 else next_index[process])
        next_index[process] += 1
    return {name: None if size == 1 else size for name, size in sizes.items()}, places

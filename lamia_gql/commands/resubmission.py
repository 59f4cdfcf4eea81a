"""What to submit again, in the form that each batch system takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from lamia_gql.commands.index_list import expand
from lamia_gql.commands.server_client import ServerClient, ServerClientError

LOST = "LOST"
"""The state, on the command line, of jobs that are RUNNING and have been silent for long."""
MAX_LIST_LENGTH = 4000
"""How many characters of indices one submission gets: Slurm and LSF take some 4,096."""


class Resubmission(NamedTuple):
    """Jobs of a process that are to run again."""

    process: str
    indices: str
    """As ranges: ``813,900-904``. Empty for the job of a solitary process."""


def find_resubmissions(
    url: str, task: str, process: str | None, states: Sequence[str]
) -> list[Resubmission]:
    """Return the jobs in any of the states, by their processes; those that have some.

    Args:
        url: The root address of the server.
        task: The name of the task.
        process: The name of the process, or a pattern with ``*`` and ``?``; all if None.
        states: States of jobs, or :data:`LOST`.

    Raises :class:`ServerClientError`, also if there is no such task or process.
    """
    found = []
    number = 0
    with ServerClient(url) as client:
        for node in _read_processes(client, task, process, states):
            number += 1
            if "job" in node:
                job = node["job"]
                if {job["state"], job["liveness"]} & set(states):
                    found.append(Resubmission(node["name"], ""))
                continue
            # Lost jobs are RUNNING, so they may be there already.
            lost = node.get("lost") if "RUNNING" not in states else ""
            indices = ",".join(filter(None, (node["selected"], lost)))
            if indices:
                found.append(Resubmission(node["name"], indices))
    if process is not None and not number:
        raise ServerClientError(f"There is no process “{process}” of the task “{task}” on {url}.")
    return found


def _read_processes(
    client: ServerClient, task: str, process: str | None, states: Sequence[str]
) -> Iterator[dict[str, Any]]:
    after = None
    while True:
        data = client.execute(
            "resubmit",
            task=task,
            filter=None if process is None else {"names": [process]},
            after=after,
            states=[state for state in states if state != LOST],
            withLost=LOST in states,
        )
        if data["task"] is None:
            raise ServerClientError(f"There is no task “{task}” on {client.url}.")
        page = data["task"]["processes"]
        yield from page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


def split_indices(indices: str, max_length: int = MAX_LIST_LENGTH) -> Iterator[str]:
    """Yield parts of ranges, none of them longer than ``max_length`` characters."""
    while len(indices) > max_length:
        end = indices.rfind(",", 0, max_length + 1)
        yield indices[:end]
        indices = indices[end + 1 :]
    yield indices


def _for_slurm(jobs: Resubmission) -> Iterator[str]:
    return (f"--array={part}" for part in split_indices(jobs.indices))


def _for_condor(jobs: Resubmission) -> Iterator[str]:
    yield f"queue index in ({', '.join(map(str, expand(jobs.indices)))})"


def _for_lsf(jobs: Resubmission) -> Iterator[str]:
    parts = split_indices(jobs.indices, MAX_LIST_LENGTH - len(jobs.process))
    return (f"{jobs.process}[{part}]" for part in parts)


def _for_grid_engine(jobs: Resubmission) -> Iterator[str]:
    # It takes one range at a time.
    return (f"-t {part}" for part in jobs.indices.split(","))


def _as_list(jobs: Resubmission) -> Iterator[str]:
    return map(str, expand(jobs.indices))


FORMS: dict[str, Callable[[Resubmission], Iterator[str]]] = {
    "slurm": _for_slurm,
    "condor": _for_condor,
    "lsf": _for_lsf,
    "grid-engine": _for_grid_engine,
    "list": _as_list,
}


def format_lines(found: Sequence[Resubmission], form: str, *, with_names: bool) -> Iterator[str]:
    """Yield the lines to print.

    Args:
        found: What is to run again.
        form: One of :data:`FORMS`, or ``json``.
        with_names: Whether a comment names each process.
    """
    if form == "json":
        yield json.dumps([jobs._asdict() for jobs in found], ensure_ascii=False)
        return
    for jobs in found:
        if not jobs.indices:
            yield f"# {jobs.process}, whose only job has no index"
            continue
        if with_names:
            yield f"# {jobs.process}"
        yield from FORMS[form](jobs)

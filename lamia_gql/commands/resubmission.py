"""What to submit again, in the form that each batch system takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class JobChoice:
    """Which jobs are to run again: those for which all of this is true."""

    states: Sequence[str]
    """Their state is one of these, which may be :data:`LOST`."""
    exit_codes: Sequence[int] = ()
    """Their exit code is one of these, if there are any."""
    hostnames: Sequence[str] = ()
    """Their host is one of these, if there are any."""
    message: str | None = None
    """Their message contains this; case is ignored."""

    def filter_jobs(self, **condition: Any) -> dict[str, Any]:
        """Return the ``JobFilter`` for jobs in whatever state, with a condition for that."""
        return condition | {
            "exitCodes": self.exit_codes or None,
            "hostnames": self.hostnames or None,
            "message": self.message,
        }

    def has(self, job: dict[str, Any]) -> bool:
        """Whether the job of a solitary process is one of them."""
        return (
            bool({job["state"], job["liveness"]} & set(self.states))
            and (not self.exit_codes or job["exitCode"] in self.exit_codes)
            and (not self.hostnames or job["hostname"] in self.hostnames)
            and (self.message or "").casefold() in (job["message"] or "").casefold()
        )


def find_resubmissions(
    url: str, task: str, process: str | None, choice: JobChoice
) -> list[Resubmission]:
    """Return the jobs of a choice, by their processes; those that have some.

    Args:
        url: The root address of the server.
        task: The name of the task.
        process: The name of the process, or a pattern with ``*`` and ``?``; all if None.
        choice: Which jobs.

    Raises :class:`ServerClientError`, also if there is no such task or process.
    """
    found = []
    number = 0
    with ServerClient(url) as client:
        for node in _read_processes(client, task, process, choice):
            number += 1
            if "job" in node:
                if choice.has(node["job"]):
                    found.append(Resubmission(node["name"], ""))
                continue
            # Lost jobs are RUNNING, so they may be there already.
            lost = node.get("lost") if "RUNNING" not in choice.states else ""
            indices = ",".join(filter(None, (node["selected"], lost)))
            if indices:
                found.append(Resubmission(node["name"], indices))
    if process is not None and not number:
        raise ServerClientError(f"There is no process “{process}” of the task “{task}” on {url}.")
    return found


def _read_processes(
    client: ServerClient, task: str, process: str | None, choice: JobChoice
) -> Iterator[dict[str, Any]]:
    after = None
    while True:
        data = client.execute(
            "resubmit",
            task=task,
            filter=None if process is None else {"names": [process]},
            after=after,
            jobs=choice.filter_jobs(states=[state for state in choice.states if state != LOST]),
            lost=choice.filter_jobs(liveness=LOST),
            withLost=LOST in choice.states,
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

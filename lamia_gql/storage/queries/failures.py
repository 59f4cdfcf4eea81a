"""The failures of processes, grouped by what they have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

import orjson

from lamia_gql.domain.message_form import message_form
from lamia_gql.storage.models import Job
from lamia_gql.storage.queries.failure_statements import (
    INDICES_PER_PROCESS,
    FailureKey,
    Keys,
    columns_grouped_by,
    groups_statement,
    host_numbers_statement,
    hosts_statement,
    jobs_statement,
)
from lamia_gql.storage.queries.jobs import jobs_by_key
from lamia_gql.storage.queries.runs import indices_text, spans
from lamia_gql.storage.row_shape import ComputedShape, row_shape
from lamia_gql.storage.rows import ProcessRow
from lamia_gql.storage.statement import Statement
from lamia_gql.storage.transaction import Hold, ReadConnection

MAX_HOSTS = 1_000
"""How many hosts of a group are listed."""
MESSAGE = row_shape(Job, frozenset({"message"}))
Owner = tuple[int, int | None]
"""A task and one of its processes; None for all of them."""


class FailureRow(NamedTuple):
    """Jobs of one process, or of one task, that ended without success for the same cause."""

    task_id: int
    process_number: int | None
    """The process; None for a group of a task."""
    by: Keys
    exit_code: int | None
    signal: str | None
    message_key: int | None
    hostname: str | None
    jobs: int
    """How many there are."""
    first_at: datetime
    last_at: datetime
    sample_process: int
    """With the index of the sample: one of its jobs."""
    sample_index: int
    message: str | None


FAILURES = ComputedShape(FailureRow)


@dataclass(frozen=True, slots=True)
class HostRow:
    """How many of the jobs of a group ran on a host."""

    hostname: str | None
    count: int


@dataclass(frozen=True, slots=True)
class ProcessPart:
    """The jobs of a group that are of one process."""

    name: str
    count: int
    indices: str | None
    """As ranges; None in a solitary process."""


class Cause(NamedTuple):
    """What the jobs of a group have in common; what ``by`` does not name is None."""

    by: Keys
    exit_code: int | None = None
    signal: str | None = None
    message_key: int | None = None
    hostname: str | None = None

    def columns(self) -> dict[str, int | str | None]:
        """The values of the columns that ``by`` names, by their names."""
        return {
            column.key: getattr(self, name) for name, column in columns_grouped_by(self.by).items()
        }


def failure_groups(
    connection: ReadConnection,
    owners: Sequence[Owner],
    by: Keys,
    first: int,
    cause: Cause | None = None,
) -> list[list[FailureRow]]:
    """The groups of each process or task, at most ``first``, the largest first.

    Args:
        connection: a connection to read on.
        owners: either processes or tasks.
        by: what the jobs of a group have in common.
        first: how many groups are read.
        cause: the cause of the only group that is read, by the same ``by``; None for any.
    """
    found: list[list[FailureRow]] = [[] for _ in owners]
    by_process = any(number is not None for _, number in owners)
    statement = groups_statement(by, by_process, cause is not None)
    common = () if cause is None else cause[1:]
    for place, *own, jobs, first_at, last_at, sample in statement.values(
        connection, keys=[(*owner, *common) for owner in owners], size=first
    ):
        group = (*owners[place], by, *own, jobs, first_at, last_at)
        found[place].append(FailureRow._make((*group, *divmod(sample, INDICES_PER_PROCESS), None)))
    if FailureKey.MESSAGE in by:
        samples = [(g.task_id, g.sample_process, g.sample_index) for part in found for g in part]
        messages = iter(jobs_by_key(connection, samples, MESSAGE))
        found = [
            [g._replace(message=_form(next(messages).message)) for g in part] for part in found
        ]
    return found


def _form(message: str | None) -> str | None:
    return None if message is None else message_form(message)


def group_hosts(
    connection: ReadConnection, groups: Sequence[FailureRow], first: int
) -> list[list[HostRow]]:
    """The hosts of the jobs of each group, at most ``first``, those with most jobs first."""
    found: list[list[HostRow]] = [[] for _ in groups]
    for place, hostname, jobs in _of_groups(connection, groups, hosts_statement, size=first):
        found[place].append(HostRow(hostname, jobs))
    return found


def group_host_numbers(connection: ReadConnection, groups: Sequence[FailureRow]) -> list[int]:
    """How many hosts the jobs of each group have; those without one count as one."""
    found = [0] * len(groups)
    for place, hosts in _of_groups(connection, groups, host_numbers_statement):
        found[place] = hosts
    return found


def group_processes(
    connection: ReadConnection,
    groups: Sequence[FailureRow],
    processes: Callable[[Sequence[tuple[int, int]]], Sequence[ProcessRow | None]],
    hold: Hold,
) -> list[list[ProcessPart]]:
    """The jobs of each group by their processes, in the order of these.

    Args:
        connection: a connection to read on.
        groups: the groups.
        processes: the processes of tasks and numbers.
        hold: is told the size of each text.
    """
    found: list[list[ProcessPart]] = [[] for _ in groups]
    for place, numbers in _of_groups(connection, groups, jobs_statement):
        jobs = sorted(orjson.loads(f"[{numbers or ''}]"))
        parts = {
            process: [job % INDICES_PER_PROCESS for job in part]
            for process, part in groupby(jobs, key=lambda job: job // INDICES_PER_PROCESS)
        }
        owners = processes([(groups[place].task_id, process) for process in parts])
        for process, part in zip(owners, parts.values(), strict=True):
            if process is None:
                continue  # the task is being deleted
            text = indices_text(spans(part)) if process.is_array else None
            found[place].append(ProcessPart(process.name, len(part), text))
            hold(len(text or ""))
    return found


def group_indices(
    groups: Sequence[FailureRow], found: Iterable[Iterable[ProcessPart]]
) -> list[str]:
    """The indices of the jobs of each group, as ``813,900-904``, from its processes.

    Those of a group of a task are ``name[813,900-904]`` for each process, with blanks between them.
    """
    return [
        " ".join(f"{part.name}[{part.indices or 0}]" for part in parts)
        if group.process_number is None
        else "".join(part.indices or "" for part in parts)
        for group, parts in zip(groups, found, strict=True)
    ]


def _of_groups(
    connection: ReadConnection,
    groups: Sequence[FailureRow],
    statement: Callable[[Keys, bool], Statement],
    **parameters: Any,
) -> Iterator[tuple[Any, ...]]:
    """The rows that a statement gives for the groups, each with the position of its group.

    All groups of one field have the same statement.
    """
    kinds: dict[tuple[Keys, bool], list[int]] = {}
    for place, group in enumerate(groups):
        kinds.setdefault((group.by, group.process_number is not None), []).append(place)
    for kind, places in kinds.items():
        keys = [(*groups[place][:2], *groups[place][3:7]) for place in places]
        with statement(*kind).stream(connection, keys=keys, **parameters) as rows:
            for place, *row in rows:
                yield places[place], *row

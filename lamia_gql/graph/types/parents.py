"""From an event to its job, from a job to its process, from a process to its task.

A task lists processes, these list jobs, and all three list events, so the modules of these types
import each other in this direction. In the other direction they refer to each other lazily, here
and in annotations only: by the names of the type and of its module.
"""

from __future__ import annotations

from collections.abc import Awaitable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import strawberry

from lamia_gql.domain.errors import ErrorCode, RequestError
from lamia_gql.graph.context import Info
from lamia_gql.storage.rows import JobRow, ProcessRow

if TYPE_CHECKING:
    from lamia_gql.graph.types.job import Job
    from lamia_gql.graph.types.process import Process
    from lamia_gql.graph.types.task import Task

T = TypeVar("T")


@cache
def _resolve(name: str, module: str) -> Any:
    return strawberry.LazyType[Any, Any](name, f"lamia_gql.graph.types.{module}").resolve_type()


def job_of(row: JobRow, process: ProcessRow, info: Info) -> Job:
    """The job of a row."""
    job: Job = _resolve("Job", "job").of(row, process, info)
    return job


def process_of(row: ProcessRow) -> Process:
    """The process of a row."""
    process: Process = _resolve("Process", "process").of(row)
    return process


async def load_task(info: Info, task_id: int) -> Task:
    """The task of a process. Raises :class:`RequestError` if it has been deleted."""
    row = await _require(info.context.load.task_by_id(task_id))
    task: Task = _resolve("Task", "task").of(row)
    return task


def load_process_row(info: Info, task_id: int, number: int) -> Awaitable[ProcessRow]:
    """The process of an event. Raises :class:`RequestError` if it has been deleted."""
    return _require(info.context.load.process_by_key(task_id, number))


async def _require(parent: Awaitable[T | None]) -> T:
    found = await parent
    if found is None:
        raise RequestError(ErrorCode.TASK_NOT_FOUND, "The task has been deleted meanwhile.")
    return found

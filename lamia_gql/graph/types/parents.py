"""From an event to its job, from a job to its process, from a process to its task.

A task lists processes, these list jobs, and all three list events, so the modules of these types
import each other in this direction. In the other direction they refer to each other lazily, here
and in annotations only: by the names of the type and of its module.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import strawberry

from lamia_gql.domain.errors import ErrorCode, RequestError
from lamia_gql.storage.rows import JobRow, ProcessRow, TaskRow

if TYPE_CHECKING:
    from lamia_gql.graph.types.job import Job
    from lamia_gql.graph.types.process import Process
    from lamia_gql.graph.types.task import Task

T = TypeVar("T")


@cache
def _resolve(name: str, module: str) -> Any:
    return strawberry.LazyType[Any, Any](name, f"lamia_gql.graph.types.{module}").resolve_type()


def job_of(found: JobRow, owner: ProcessRow) -> Job:
    """The job of a row, and of the row of its process."""
    job: Job = _resolve("Job", "job").of(found, owner)
    return job


def process_of(found: ProcessRow) -> Process:
    """The process of a row."""
    process: Process = _resolve("Process", "process").of(found)
    return process


def task_of(found: TaskRow) -> Task:
    """The task of a row."""
    task: Task = _resolve("Task", "task").of(found)
    return task


def require(parent: T | None) -> T | RequestError:
    """A parent that was read, or the error that it has been deleted."""
    if parent is None:
        return RequestError(ErrorCode.TASK_NOT_FOUND, "The task has been deleted meanwhile.")
    return parent

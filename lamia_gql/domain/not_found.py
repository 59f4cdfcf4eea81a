"""The errors for tasks and processes that do not exist."""

from __future__ import annotations

from lamia_gql.domain.errors import ErrorCode, UserError


def task_not_found(name: str, field: str = "task") -> UserError:
    """No task has this name, which is in this field."""
    return UserError(ErrorCode.TASK_NOT_FOUND, f"There is no task “{name}”.", field)


def process_not_found(task: str, process: str) -> UserError:
    """The task has no process of this name."""
    message = f"Task “{task}” has no process “{process}”."
    return UserError(ErrorCode.PROCESS_NOT_FOUND, message, "process")

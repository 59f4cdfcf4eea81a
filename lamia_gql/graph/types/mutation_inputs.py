"""Input types of the mutations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry
from strawberry.scalars import JSON

from lamia_gql.domain.notifications import Occasion

EDITABLE = ("username", "email", "comment", "tags", "config", "dependencies", "notify")
"""The fields of a task that can be changed."""
DEPENDENCIES = (
    "Dependency graph of the processes, in any format; the server does not interpret it. The"
    " dashboard draws an object from the names of processes to lists of those that they wait for."
)


@strawberry.input(
    description="A process to create: an array if `jobCount` is given, else solitary."
)
class ProcessInput:
    """The input from which :class:`lamia_gql.ingest.task_input.ProcessSpec` is made."""

    name: str = strawberry.field(description="Name of the process, unique in the task.")
    job_count: int | None = strawberry.field(
        default=None,
        description="Number of jobs in the array. Without it, the process is solitary.",
    )
    first_index: int | None = strawberry.field(
        default=None, description="Index of the first job. Arrays only. Defaults to 0."
    )
    failure_tolerance: int | None = strawberry.field(
        default=None,
        description=(
            "How many jobs may end FAILED or TERMINATED without the array failing. Arrays only."
            " Defaults to 0."
        ),
    )
    threshold: float | None = strawberry.field(
        default=None,
        description=(
            "How much progress is enough: a number of DONE jobs or, if the jobs report progress, a"
            " sum of the reported numbers, in any unit. Defaults to no threshold."
        ),
    )
    beat_interval: float | None = strawberry.field(
        default=None,
        description=(
            "Time between two BEAT events of a job, in seconds. A job without a sign of life"
            " becomes LATE after two intervals, and LOST after five. Defaults to the server's"
            " setting."
        ),
    )


@strawberry.input(description="A task to create, with all its processes.")
class CreateTaskInput:
    """The input from which :class:`lamia_gql.ingest.task_input.TaskSpec` is made."""

    name: str = strawberry.field(description="Name of the task, unique on this server.")
    processes: list[ProcessInput] = strawberry.field(
        description="Processes of the task, at least one."
    )
    username: str | None = strawberry.field(default=None, description="User who submits the task.")
    email: str | None = strawberry.field(
        default=None, description="E-mail address to contact about the task."
    )
    comment: str | None = strawberry.field(
        default=None, description="Free text that describes the task."
    )
    tags: list[str] | None = strawberry.field(
        default=None, description="Keywords by which the task can be found."
    )
    submitted_at: datetime | None = strawberry.field(
        default=None, description="When the task was submitted. Defaults to the present time."
    )
    hostname: str | None = strawberry.field(
        default=None, description="Host that the task is submitted from."
    )
    config: JSON | None = strawberry.field(
        default=None, description="Arbitrary JSON to store with the task."
    )
    dependencies: JSON | None = strawberry.field(
        default=None,
        description=DEPENDENCIES,
    )
    issue_token: bool | None = strawberry.field(
        default=None,
        description="Whether to issue a token with which the jobs of the task submit events.",
    )
    notify: list[Occasion] | None = strawberry.field(
        default=None,
        description=(
            "On what the address in `email` gets an e-mail, if the server sends any. An empty list"
            " means never. Defaults to the server's setting."
        ),
    )


@strawberry.input(description="Tasks to create: all of them or none.")
class CreateTasksInput:
    """The input of ``createTasks``."""

    tasks: list[CreateTaskInput] = strawberry.field(description="The tasks to create.")


@strawberry.input(
    description="Changes to a task. Fields that are left out stay unchanged; null removes a value."
)
class UpdateTaskInput:
    """The input from which :class:`lamia_gql.ingest.task_input.TaskEdit` is made."""

    name: str = strawberry.field(description="Name of the task.")
    username: str | None = strawberry.field(
        default=strawberry.UNSET, description="User who submitted the task."
    )
    email: str | None = strawberry.field(
        default=strawberry.UNSET, description="E-mail address to contact about the task."
    )
    comment: str | None = strawberry.field(
        default=strawberry.UNSET, description="Free text that describes the task."
    )
    tags: list[str] | None = strawberry.field(
        default=strawberry.UNSET,
        description="Keywords by which the task can be found; they replace all present ones.",
    )
    config: JSON | None = strawberry.field(
        default=strawberry.UNSET, description="Arbitrary JSON to store with the task."
    )
    dependencies: JSON | None = strawberry.field(
        default=strawberry.UNSET,
        description=DEPENDENCIES,
    )
    notify: list[Occasion] | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "On what the address in `email` gets an e-mail. An empty list means never, null the"
            " server's setting."
        ),
    )

    def changes(self) -> dict[str, Any]:
        """The fields that were given, with their values."""
        given = {
            name: getattr(self, name)
            for name in EDITABLE
            if getattr(self, name) is not strawberry.UNSET
        }
        if given.get("tags", ()) is None:
            given["tags"] = []
        return given


@strawberry.input(description="Processes to add to a task, which may already be running.")
class AddProcessesInput:
    """The input of ``addProcesses``."""

    task: str = strawberry.field(description="Name of the task.")
    processes: list[ProcessInput] = strawberry.field(description="The processes to add.")


@strawberry.input(description="More jobs for an array.")
class GrowProcessInput:
    """The input of ``growProcess``."""

    task: str = strawberry.field(description="Name of the task.")
    process: str = strawberry.field(description="Name of the array.")
    job_count: int = strawberry.field(
        description="Its new number of jobs, not less than it has. They follow those that it has."
    )
    failure_tolerance: int | None = strawberry.field(
        default=None,
        description="How many of all its jobs may fail. By default it stays as it is.",
    )


@strawberry.input(description="A task to delete, with all its events.")
class DeleteTaskInput:
    """The input of ``deleteTask``."""

    name: str = strawberry.field(description="Name of the task.")


@strawberry.input(description="Tasks to delete, with all their events.")
class DeleteTasksInput:
    """The input of ``deleteTasks``."""

    names: list[str] = strawberry.field(
        description="Names of the tasks. Names of tasks that do not exist are ignored."
    )

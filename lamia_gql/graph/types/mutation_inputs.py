"""Input types of the mutations."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from lamia_gql.domain.errors import ErrorCode, UserError
from lamia_gql.domain.lifecycle import EventClass
from lamia_gql.domain.notifications import Occasion

EDITABLE = ("username", "email", "comment", "tags", "config", "dependencies", "notify")
"""The fields of a task that can be changed."""


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
        description=(
            "Dependency graph of the processes, in any format. It is stored, not interpreted."
        ),
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
        description=(
            "Dependency graph of the processes, in any format. It is stored, not interpreted."
        ),
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


@strawberry.input(description="What a job has used, and what it was given. Omit what is not known.")
class UsageInput:
    """The input of ``usage``: numbers that are finite and not negative."""

    cpu_seconds: float | None = strawberry.field(
        default=None, description="CPU time of all its processes, in seconds."
    )
    wall_seconds: float | None = strawberry.field(
        default=None, description="Time since its start, in seconds."
    )
    max_rss_bytes: float | None = strawberry.field(
        default=None, description="Largest resident memory, in bytes."
    )
    read_bytes: float | None = strawberry.field(default=None, description="Bytes read.")
    write_bytes: float | None = strawberry.field(default=None, description="Bytes written.")
    cpus: float | None = strawberry.field(
        default=None, description="Number of CPUs that the job was given."
    )
    requested_memory_bytes: float | None = strawberry.field(
        default=None, description="Memory that was requested for the job, in bytes."
    )


@strawberry.input(description="An event of a job, to be stored.")
class SubmitEventInput:
    """The input from which :class:`lamia_gql.ingest.event_input.NewEvent` is made."""

    task: str = strawberry.field(description="Name of the task.")
    process: str = strawberry.field(description="Name of the process in the task.")
    event_class: EventClass = strawberry.field(description="What the event reports.")
    uuid: UUID | None = strawberry.field(
        default=None,
        description=(
            "UUID of the event, chosen by the client. If an event with this UUID is already"
            " stored, it is not stored again, so a client can safely retry. Defaults to a random"
            " UUID."
        ),
    )
    id: UUID | None = strawberry.field(
        default=None,
        description="The former name of `uuid`. Give only one of them.",
        deprecation_reason="Use `uuid`, as the field of `Event` is named.",
    )
    index: int | None = strawberry.field(
        default=None,
        description="Index of the job. Required for arrays, not allowed for solitary processes.",
    )
    attempt: int | None = strawberry.field(
        default=None,
        description="How many times the batch system has restarted the job. Defaults to 0.",
    )
    progress: float | None = strawberry.field(
        default=None,
        description=(
            "Progress of the job, not negative: percent if the process has no threshold, else a"
            " number in the unit of the threshold. An event of any class may have one."
        ),
    )
    payload: JSON | None = strawberry.field(default=None, description="Arbitrary JSON to store.")
    sent_at: datetime | None = strawberry.field(
        default=None,
        description=(
            "When the event happened, by the job's clock. A time without an offset is taken as UTC."
            " If omitted, the time of receipt counts."
        ),
    )
    hostname: str | None = strawberry.field(default=None, description="Host that the job runs on.")
    exit_code: int | None = strawberry.field(
        default=None, description="Exit code with which the job ended."
    )
    signal: str | None = strawberry.field(
        default=None,
        description="Name of the signal that ended the job, like `SIGKILL`; at most 32 characters.",
    )
    message: str | None = strawberry.field(
        default=None,
        description="Why the job ended or is held, for people; at most 1024 bytes of UTF-8.",
    )
    batch_id: str | None = strawberry.field(
        default=None,
        description=(
            "Id of the job in its batch system, like `1234_7` or `57.3`; at most 255 characters."
            " Each submission has its own: a later one overrules an earlier one, whatever restarts"
            " `attempt` counts."
        ),
    )
    usage: UsageInput | None = strawberry.field(
        default=None, description="What the job has used so far, as far as it is known."
    )

    def given_uuid(self) -> UUID | None:
        """The UUID under either name. Raises :class:`UserError` if there is one under each."""
        if self.uuid is not None and self.id is not None:
            raise UserError(
                ErrorCode.ARGUMENT_INVALID, "Give `uuid` only: `id` is its former name.", "id"
            )
        return self.id if self.uuid is None else self.uuid


@strawberry.input(description="Events of any jobs, to be stored in one request.")
class SubmitEventsInput:
    """The input of ``submitEvents``."""

    events: list[SubmitEventInput] = strawberry.field(description="The events to store.")

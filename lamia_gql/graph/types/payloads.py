"""Payload types: the results of mutations, and the errors in their inputs."""

from __future__ import annotations

from typing import Self

import strawberry

from lamia_gql.domain import errors
from lamia_gql.domain.errors import ErrorCode
from lamia_gql.graph.types.event import Event
from lamia_gql.graph.types.fields import field
from lamia_gql.graph.types.process import Process
from lamia_gql.graph.types.task import Task
from lamia_gql.ingest.event_batch import Outcome


@strawberry.type(description="An error in an input.")
class UserError:
    """A :class:`lamia_gql.domain.errors.UserError`, as data."""

    code: ErrorCode = field("Stable code of the error, for programs.")
    field: str | None = field(
        "Path of the invalid value in the input, such as `processes.2.name`. Null if the error does"
        " not concern a single value."
    )
    message: str = strawberry.field(description="The error in words, for people.")

    @classmethod
    def of(cls, error: errors.UserError) -> Self:
        """The data of an error."""
        return cls(code=error.code, field=error.field, message=error.message)


UserErrors = list[UserError]
USER_ERRORS = "Errors in the input. Empty on success."


@strawberry.type(description="Result of `createTask`.")
class CreateTaskPayload:
    """What ``createTask`` returns."""

    task: Task | None = field("The new task. Null if there are user errors.")
    token: str | None = field(
        "The token with which its jobs submit events. Null unless `issueToken` was given. The"
        " server does not store it."
    )
    user_errors: UserErrors = field(USER_ERRORS)


@strawberry.type(description="Result of `createTasks`.")
class CreateTasksPayload:
    """What ``createTasks`` returns."""

    tasks: list[Task] = field(
        "The new tasks, in the order of the input. Empty if there are user errors."
    )
    tokens: list[str | None] = field(
        "The tokens of the new tasks, in the same order. Null for those without `issueToken`."
    )
    user_errors: UserErrors = field(USER_ERRORS)


@strawberry.type(description="Result of `updateTask`.")
class UpdateTaskPayload:
    """What ``updateTask`` returns."""

    task: Task | None = field("The task after the update. Null if there are user errors.")
    user_errors: UserErrors = field(USER_ERRORS)


@strawberry.type(description="Result of `addProcesses`.")
class AddProcessesPayload:
    """What ``addProcesses`` returns."""

    task: Task | None = field("The task with its new processes. Null if there are user errors.")
    processes: list[Process] = field(
        "The new processes, in the order of the input. Empty if there are user errors."
    )
    user_errors: UserErrors = field(USER_ERRORS)


@strawberry.type(description="Result of `growProcess`.")
class GrowProcessPayload:
    """What ``growProcess`` returns."""

    process: Process | None = field("The array. Null if there are user errors.")
    user_errors: UserErrors = field(USER_ERRORS)


@strawberry.type(description="Result of `deleteTask`.")
class DeleteTaskPayload:
    """What ``deleteTask`` returns."""

    deleted_id: strawberry.ID | None = field(
        "Id of the deleted task. Null if there are user errors."
    )
    user_errors: UserErrors = field(USER_ERRORS)


@strawberry.type(description="Result of `deleteTasks`.")
class DeleteTasksPayload:
    """What ``deleteTasks`` returns."""

    deleted: int = field("Number of deleted tasks.")
    deleted_ids: list[strawberry.ID] = field("Ids of the deleted tasks.")
    user_errors: UserErrors = field(USER_ERRORS)


@strawberry.type(description="Result of submitting one event.")
class SubmitEventPayload:
    """What ``submitEvent`` returns, and ``submitEvents`` for each event."""

    event: Event | None = field("The stored event. Null if there are user errors.")
    duplicate: bool = field("Whether the event was already stored. Then nothing has changed.")
    enough: bool = field("Whether the process has reached its threshold, so that the job may stop.")
    process: Process | None = field("The process after the event. Null if there are user errors.")
    user_errors: UserErrors = field(USER_ERRORS)

    @classmethod
    def of(cls, outcome: Outcome, process: Process) -> Self:
        """The result for an event that is stored."""
        return cls(
            event=Event.of(outcome.event),
            duplicate=outcome.duplicate,
            enough=outcome.enough,
            process=process,
            user_errors=[],
        )

    @classmethod
    def refused(cls, error: errors.UserError) -> Self:
        """The result for an event with an error."""
        return cls(
            event=None,
            duplicate=False,
            enough=False,
            process=None,
            user_errors=[UserError.of(error)],
        )


@strawberry.type(description="Result of `submitEvents`.")
class SubmitEventsPayload:
    """What ``submitEvents`` returns."""

    results: list[SubmitEventPayload] = field(
        "One result per event, in the order of the input. Empty if the whole request is refused."
    )
    user_errors: UserErrors = field(
        "Errors of the request as a whole. Those of a single event are in its result."
    )

"""What mutations answer: what became of an input, and what is wrong with it."""

from __future__ import annotations

from typing import Self

import strawberry

from lamia_gql.domain import errors
from lamia_gql.domain.errors import ErrorCode
from lamia_gql.graph.types.event import Event
from lamia_gql.graph.types.fields import field
from lamia_gql.graph.types.process import Process, make_process
from lamia_gql.graph.types.task import Task
from lamia_gql.ingest.event_batch import Outcome


@strawberry.type(description="What is wrong with an input.")
class UserError:
    """A user error."""

    code: ErrorCode = field("The stable name of the problem: for programs.")
    field: str | None = field("The path to the culprit in the input, like `processes.2.name`.")
    message: str = strawberry.field(description="What is wrong, in words: for people.")

    @classmethod
    def of(cls, error: errors.UserError) -> Self:
        """The error, as data."""
        return cls(code=error.code, field=error.field, message=error.message)


UserErrors = list[UserError]
NOTHING_WRONG = "What is wrong with the input; empty where all is well."


@strawberry.type(description="What became of a task to be made.")
class CreateTaskPayload:
    """The answer of ``createTask``."""

    task: Task | None = field("The task; null where it was refused.")
    user_errors: UserErrors = field(NOTHING_WRONG)


@strawberry.type(description="What became of tasks to be made.")
class CreateTasksPayload:
    """The answer of ``createTasks``."""

    tasks: list[Task] = field("The tasks, in the order of the input; none where any was refused.")
    user_errors: UserErrors = field(NOTHING_WRONG)


@strawberry.type(description="What became of an edit.")
class UpdateTaskPayload:
    """The answer of ``updateTask``."""

    task: Task | None = field("The task as it is now; null where the edit was refused.")
    user_errors: UserErrors = field(NOTHING_WRONG)


@strawberry.type(description="What became of processes to be added.")
class AddProcessesPayload:
    """The answer of ``addProcesses``."""

    task: Task | None = field("The task as it is now; null where they were refused.")
    processes: list[Process] = field("The new processes; none where any was refused.")
    user_errors: UserErrors = field(NOTHING_WRONG)


@strawberry.type(description="What became of a task to be deleted.")
class DeleteTaskPayload:
    """The answer of ``deleteTask``."""

    deleted_id: strawberry.ID | None = field("The id that the task had; null where there was none.")
    user_errors: UserErrors = field(NOTHING_WRONG)


@strawberry.type(description="What became of tasks to be deleted.")
class DeleteTasksPayload:
    """The answer of ``deleteTasks``."""

    deleted: int = field("How many tasks were deleted.")
    deleted_ids: list[strawberry.ID] = field("The ids that they had.")
    user_errors: UserErrors = field(NOTHING_WRONG)


@strawberry.type(description="What became of an event.")
class SubmitEventPayload:
    """The answer to one event."""

    event: Event | None = field("The event as it was stored; null where it was refused.")
    duplicate: bool = field("Whether it had been stored before: then nothing has changed.")
    enough: bool = field("Whether the process has reached its threshold: the job may stop.")
    process: Process | None = field("The process as it is now; null where the event was refused.")
    user_errors: UserErrors = field(NOTHING_WRONG)

    @classmethod
    def of(cls, outcome: Outcome | errors.UserError) -> Self:
        """The answer."""
        if isinstance(outcome, errors.UserError):
            return cls(
                event=None,
                duplicate=False,
                enough=False,
                process=None,
                user_errors=[UserError.of(outcome)],
            )
        return cls(
            event=Event.of(outcome.event),
            duplicate=outcome.duplicate,
            enough=outcome.enough,
            process=make_process(outcome.process),
            user_errors=[],
        )


@strawberry.type(description="What became of events.")
class SubmitEventsPayload:
    """The answer of ``submitEvents``."""

    results: list[SubmitEventPayload] = field(
        "One answer each, in the order of the input; none where the whole was refused."
    )
    user_errors: UserErrors = field("What is wrong with the input as a whole.")

"""The root type ``Mutation``: calls of the services, with user errors as data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

import strawberry

from lamia_gql.domain import errors
from lamia_gql.domain.errors import ErrorCode
from lamia_gql.domain.lifecycle import EventClass
from lamia_gql.graph.context import Context, Info
from lamia_gql.graph.types import mutation_inputs
from lamia_gql.graph.types.fields import argument, resolved
from lamia_gql.graph.types.payloads import (
    AddProcessesPayload,
    CreateTaskPayload,
    CreateTasksPayload,
    DeleteTaskPayload,
    DeleteTasksPayload,
    SubmitEventPayload,
    SubmitEventsPayload,
    UpdateTaskPayload,
    UserError,
)
from lamia_gql.graph.types.process import Process
from lamia_gql.graph.types.task import Task
from lamia_gql.ingest.event_input import NewEvent, arrival_times, check_event
from lamia_gql.ingest.task_input import InvalidInput, ProcessSpec, TaskEdit, TaskSpec
from lamia_gql.ingest.tasks import add_processes, create_tasks, update_tasks

T = TypeVar("T")
INPUT = argument("Input of the mutation.")


@strawberry.type(description="Everything that can be changed.")
class Mutation:
    """The root of all mutations."""

    @resolved("Create a task with all its processes.")
    async def create_task(
        self,
        info: Info,
        input: Annotated[mutation_inputs.CreateTaskInput, INPUT],  # noqa: A002
    ) -> CreateTaskPayload:
        """Create one task."""
        tasks, user_errors = await _create(info.context, [input])
        return CreateTaskPayload(task=tasks[0] if tasks else None, user_errors=user_errors)

    @resolved("Create several tasks: all of them or none.")
    async def create_tasks(
        self,
        info: Info,
        input: Annotated[mutation_inputs.CreateTasksInput, INPUT],  # noqa: A002
    ) -> CreateTasksPayload:
        """Create tasks in one transaction."""
        tasks, user_errors = await _create(info.context, input.tasks)
        return CreateTasksPayload(tasks=tasks, user_errors=user_errors)

    @resolved(
        "Change the description of a task: user, e-mail, comment, tags, config, dependencies."
    )
    async def update_task(
        self,
        info: Info,
        input: Annotated[mutation_inputs.UpdateTaskInput, INPUT],  # noqa: A002
    ) -> UpdateTaskPayload:
        """Change one task."""
        context = info.context
        edits = [TaskEdit(input.name, input.changes())]
        found, user_errors = await _write(
            context, lambda c: update_tasks(c, context.settings, edits, context.now)
        )
        return UpdateTaskPayload(task=Task.of(found[0]) if found else None, user_errors=user_errors)

    @resolved("Add processes to a task, which may already be running: all of them or none.")
    async def add_processes(
        self,
        info: Info,
        input: Annotated[mutation_inputs.AddProcessesInput, INPUT],  # noqa: A002
    ) -> AddProcessesPayload:
        """Add processes in one transaction."""
        context = info.context
        specs = [_process_spec(process) for process in input.processes]
        found, user_errors = await _write(
            context,
            lambda c: add_processes(c, context.settings, input.task, specs, context.now),
        )
        if found is None:
            return AddProcessesPayload(task=None, processes=[], user_errors=user_errors)
        task, processes = found
        return AddProcessesPayload(
            task=Task.of(task),
            processes=[Process.of(process) for process in processes],
            user_errors=[],
        )

    @resolved("Delete a task with all its events. Its name can be used again immediately.")
    async def delete_task(
        self,
        info: Info,
        input: Annotated[mutation_inputs.DeleteTaskInput, INPUT],  # noqa: A002
    ) -> DeleteTaskPayload:
        """Soft-delete one task."""
        ids, user_errors = await _delete(info.context, [input.name])
        if not ids and not user_errors:
            error = errors.UserError(
                ErrorCode.TASK_NOT_FOUND, f"There is no task “{input.name}”.", "name"
            )
            user_errors = [UserError.of(error)]
        return DeleteTaskPayload(deleted_id=ids[0] if ids else None, user_errors=user_errors)

    @resolved("Delete several tasks with all their events.")
    async def delete_tasks(
        self,
        info: Info,
        input: Annotated[mutation_inputs.DeleteTasksInput, INPUT],  # noqa: A002
    ) -> DeleteTasksPayload:
        """Soft-delete tasks in one transaction."""
        ids, user_errors = await _delete(info.context, input.names)
        return DeleteTasksPayload(deleted=len(ids), deleted_ids=ids, user_errors=user_errors)

    @resolved("Submit an event of a job. The response is sent after the event is stored durably.")
    async def submit_event(
        self,
        info: Info,
        input: Annotated[mutation_inputs.SubmitEventInput, INPUT],  # noqa: A002
    ) -> SubmitEventPayload:
        """Store one event."""
        return (await _submit(info.context, [input]))[0]

    @resolved(
        "Submit events of any jobs. The response is sent after they are stored durably. Each event"
        " is accepted or refused on its own."
    )
    async def submit_events(
        self,
        info: Info,
        input: Annotated[mutation_inputs.SubmitEventsInput, INPUT],  # noqa: A002
    ) -> SubmitEventsPayload:
        """Store all valid events."""
        try:
            info.context.services.check_number_of_events(len(input.events))
        except errors.UserError as error:
            return SubmitEventsPayload(results=[], user_errors=[UserError.of(error)])
        return SubmitEventsPayload(
            results=await _submit(info.context, input.events), user_errors=[]
        )


async def _write(context: Context, work: Callable[[Any], T]) -> tuple[T | None, list[UserError]]:
    """The result of a transaction, or the errors in its input."""
    context.refresh()
    try:
        return await context.services.database.write(work), []
    except InvalidInput as invalid:
        return None, [UserError.of(error) for error in invalid.errors]


async def _create(
    context: Context, tasks: Sequence[mutation_inputs.CreateTaskInput]
) -> tuple[list[Task], list[UserError]]:
    specs = [
        TaskSpec(
            name=task.name,
            processes=[_process_spec(process) for process in task.processes],
            username=task.username,
            email=task.email,
            comment=task.comment,
            tags=task.tags or (),
            submitted_at=task.submitted_at,
            hostname=task.hostname,
            client_address=context.client_address,
            config=task.config,
            dependencies=task.dependencies,
        )
        for task in tasks
    ]
    created, user_errors = await _write(
        context, lambda c: create_tasks(c, context.settings, specs, context.now)
    )
    return [Task.of(task) for task in created or ()], user_errors


def _process_spec(process: mutation_inputs.ProcessInput) -> ProcessSpec:
    return ProcessSpec(
        name=process.name,
        job_count=process.job_count,
        first_index=process.first_index,
        failure_tolerance=process.failure_tolerance,
        threshold=process.threshold,
        beat_interval=process.beat_interval,
    )


async def _delete(
    context: Context, names: Sequence[str]
) -> tuple[list[strawberry.ID], list[UserError]]:
    context.refresh()
    try:
        deleted = await context.services.delete_tasks(names)
    except InvalidInput as invalid:
        return [], [UserError.of(error) for error in invalid.errors]
    return [Task.of(task).id for task in deleted], []


async def _submit(
    context: Context, events: Sequence[mutation_inputs.SubmitEventInput]
) -> list[SubmitEventPayload]:
    context.refresh()
    checked = [
        _check(context, event, received_at)
        for event, received_at in zip(events, arrival_times(context.now), strict=False)
    ]
    return [
        SubmitEventPayload.of(outcome) for outcome in await context.services.record_events(checked)
    ]


def _check(
    context: Context, event: mutation_inputs.SubmitEventInput, received_at: datetime
) -> NewEvent | errors.UserError:
    try:
        return check_event(
            context.settings,
            task=event.task,
            process=event.process,
            # Strawberry passes enum literals in documents as plain strings.
            event_class=EventClass(event.event_class),
            received_at=received_at,
            index=event.index,
            id=event.id,
            attempt=event.attempt or 0,
            sent_at=event.sent_at,
            progress=event.progress,
            payload=event.payload,
            hostname=event.hostname,
            client_address=context.client_address,
        )
    except errors.UserError as error:
        return error

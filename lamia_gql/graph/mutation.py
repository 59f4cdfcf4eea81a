"""The root of all mutations: thin fields over the services, with user errors as data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

import strawberry

from lamia_gql.domain import errors
from lamia_gql.domain.errors import ErrorCode
from lamia_gql.domain.lifecycle import EventClass
from lamia_gql.graph.context import Context, Info
from lamia_gql.graph.types import inputs
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
from lamia_gql.graph.types.process import make_process
from lamia_gql.graph.types.task import Task
from lamia_gql.ingest.event_input import NewEvent, arrival_times, check_event
from lamia_gql.ingest.task_input import InvalidInput, ProcessSpec, TaskEdit, TaskSpec
from lamia_gql.ingest.tasks import add_processes, create_tasks, update_tasks

T = TypeVar("T")
INPUT = argument("The input.")


@strawberry.type(description="What can be changed.")
class Mutation:
    """The mutations."""

    @resolved("Make a task with all its processes.")
    async def create_task(
        self,
        info: Info,
        input: Annotated[inputs.CreateTaskInput, INPUT],  # noqa: A002
    ) -> CreateTaskPayload:
        """Make a task."""
        made, wrong = await _create(info.context, [input])
        return CreateTaskPayload(task=made[0] if made else None, user_errors=wrong)

    @resolved("Make many tasks: all of them or none.")
    async def create_tasks(
        self,
        info: Info,
        input: Annotated[inputs.CreateTasksInput, INPUT],  # noqa: A002
    ) -> CreateTasksPayload:
        """Make tasks."""
        made, wrong = await _create(info.context, input.tasks)
        return CreateTasksPayload(tasks=made, user_errors=wrong)

    @resolved("Edit what people say of a task.")
    async def update_task(
        self,
        info: Info,
        input: Annotated[inputs.UpdateTaskInput, INPUT],  # noqa: A002
    ) -> UpdateTaskPayload:
        """Edit a task."""
        context = info.context
        edits = [TaskEdit(input.name, input.changes())]
        found, wrong = await _write(
            context, lambda c: update_tasks(c, context.settings, edits, context.now)
        )
        return UpdateTaskPayload(task=Task.of(found[0]) if found else None, user_errors=wrong)

    @resolved("Add processes to a task, which may run already: all of them or none.")
    async def add_processes(
        self,
        info: Info,
        input: Annotated[inputs.AddProcessesInput, INPUT],  # noqa: A002
    ) -> AddProcessesPayload:
        """Extend a task."""
        context = info.context
        specs = [_process_spec(process) for process in input.processes]
        found, wrong = await _write(
            context,
            lambda c: add_processes(c, context.settings, input.task, specs, context.now),
        )
        if found is None:
            return AddProcessesPayload(task=None, processes=[], user_errors=wrong)
        task, processes = found
        return AddProcessesPayload(
            task=Task.of(task),
            processes=[make_process(process) for process in processes],
            user_errors=[],
        )

    @resolved("Delete a task with all its events. Its name is free at once.")
    async def delete_task(
        self,
        info: Info,
        input: Annotated[inputs.DeleteTaskInput, INPUT],  # noqa: A002
    ) -> DeleteTaskPayload:
        """Delete a task."""
        ids, wrong = await _delete(info.context, [input.name])
        if not ids and not wrong:
            missing = errors.UserError(
                ErrorCode.TASK_NOT_FOUND, f"There is no task “{input.name}”.", "name"
            )
            wrong = [UserError.of(missing)]
        return DeleteTaskPayload(deleted_id=ids[0] if ids else None, user_errors=wrong)

    @resolved("Delete tasks, by their names, with all their events.")
    async def delete_tasks(
        self,
        info: Info,
        input: Annotated[inputs.DeleteTasksInput, INPUT],  # noqa: A002
    ) -> DeleteTasksPayload:
        """Delete tasks."""
        ids, wrong = await _delete(info.context, input.names)
        return DeleteTasksPayload(deleted=len(ids), deleted_ids=ids, user_errors=wrong)

    @resolved("Submit an event of a job. Answered once it is safely stored.")
    async def submit_event(
        self,
        info: Info,
        input: Annotated[inputs.SubmitEventInput, INPUT],  # noqa: A002
    ) -> SubmitEventPayload:
        """Store an event."""
        return (await _record(info.context, [input]))[0]

    @resolved(
        "Submit events of any jobs. Answered once they are safely stored; a bad event never costs"
        " the good ones."
    )
    async def submit_events(
        self,
        info: Info,
        input: Annotated[inputs.SubmitEventsInput, INPUT],  # noqa: A002
    ) -> SubmitEventsPayload:
        """Store events."""
        try:
            info.context.services.check_number_of_events(len(input.events))
        except errors.UserError as error:
            return SubmitEventsPayload(results=[], user_errors=[UserError.of(error)])
        return SubmitEventsPayload(
            results=await _record(info.context, input.events), user_errors=[]
        )


async def _write(context: Context, work: Callable[[Any], T]) -> tuple[T | None, list[UserError]]:
    """The result of a transaction, or what is wrong with its input."""
    context.refresh()
    try:
        return await context.services.database.write(work), []
    except InvalidInput as refused:
        return None, [UserError.of(error) for error in refused.errors]


async def _create(
    context: Context, tasks: Sequence[inputs.CreateTaskInput]
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
    made, wrong = await _write(
        context, lambda c: create_tasks(c, context.settings, specs, context.now)
    )
    return [Task.of(task) for task in made or ()], wrong


def _process_spec(process: inputs.ProcessInput) -> ProcessSpec:
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
        gone = await context.services.delete(names)
    except InvalidInput as refused:
        return [], [UserError.of(error) for error in refused.errors]
    return [Task.of(task).id for task in gone], []


async def _record(
    context: Context, events: Sequence[inputs.SubmitEventInput]
) -> list[SubmitEventPayload]:
    context.refresh()
    checked = [
        _check(context, event, received_at)
        for event, received_at in zip(events, arrival_times(context.now), strict=False)
    ]
    return [SubmitEventPayload.of(outcome) for outcome in await context.services.record(checked)]


def _check(
    context: Context, event: inputs.SubmitEventInput, received_at: datetime
) -> NewEvent | errors.UserError:
    try:
        return check_event(
            context.settings,
            task=event.task,
            process=event.process,
            # Strawberry hands over enums of literals as plain text.
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

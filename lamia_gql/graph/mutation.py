"""The root type ``Mutation``: calls of the services, with user errors as data."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

import strawberry

from lamia_gql.api.audit import Action, audit
from lamia_gql.api.client_clock import correct_times
from lamia_gql.domain import errors
from lamia_gql.domain.access import JobGrant
from lamia_gql.domain.not_found import task_not_found
from lamia_gql.graph.context import Context, Info
from lamia_gql.graph.credentials import CredentialMutation, sign
from lamia_gql.graph.reading_fields import reads_process, reads_task
from lamia_gql.graph.types import event_inputs, mutation_inputs
from lamia_gql.graph.types.arguments import argument
from lamia_gql.graph.types.connection import global_id
from lamia_gql.graph.types.fields import resolved
from lamia_gql.graph.types.payloads import (
    AddProcessesPayload,
    CreateTaskPayload,
    CreateTasksPayload,
    DeleteTaskPayload,
    DeleteTasksPayload,
    GrowProcessPayload,
    SubmitEventPayload,
    SubmitEventsPayload,
    UpdateTaskPayload,
    UserError,
)
from lamia_gql.graph.types.process import Process
from lamia_gql.graph.types.task import Task
from lamia_gql.ingest.event_batch import Outcome
from lamia_gql.ingest.event_input import arrival_times
from lamia_gql.ingest.growth import grow_process
from lamia_gql.ingest.task_input import InvalidInput, ProcessSpec, TaskEdit, TaskSpec
from lamia_gql.ingest.tasks import Work, add_processes, create_tasks, update_tasks
from lamia_gql.storage.rows import ProcessRow, TaskRow

T = TypeVar("T")
INPUT = argument("Input of the mutation.")


@strawberry.type(description="Everything that can be changed.")
class Mutation(CredentialMutation):
    """The root of all mutations."""

    @resolved("Create a task with all its processes.")
    async def create_task(
        self,
        info: Info,
        input: Annotated[mutation_inputs.CreateTaskInput, INPUT],  # noqa: A002
    ) -> CreateTaskPayload:
        """Create one task."""
        tasks, tokens, user_errors = await _create(info, [input], "task")
        if user_errors:
            return CreateTaskPayload(task=None, token=None, user_errors=user_errors)
        return CreateTaskPayload(task=tasks[0], token=tokens[0], user_errors=[])

    @resolved("Create several tasks: all of them or none.")
    async def create_tasks(
        self,
        info: Info,
        input: Annotated[mutation_inputs.CreateTasksInput, INPUT],  # noqa: A002
    ) -> CreateTasksPayload:
        """Create tasks in one transaction."""
        tasks, tokens, user_errors = await _create(info, input.tasks, "tasks")
        return CreateTasksPayload(tasks=tasks, tokens=tokens, user_errors=user_errors)

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
        found, user_errors = await _change(
            context, lambda: update_tasks(context.settings, edits, context.now, context.principal)
        )
        _audit(context, Action.UPDATE_TASK, found or [])
        tasks = await _shown_tasks(info, found or [], "task")
        return UpdateTaskPayload(task=tasks[0] if tasks else None, user_errors=user_errors)

    @resolved("Add processes to a task, which may already be running: all of them or none.")
    async def add_processes(
        self,
        info: Info,
        input: Annotated[mutation_inputs.AddProcessesInput, INPUT],  # noqa: A002
    ) -> AddProcessesPayload:
        """Add processes in one transaction."""
        context = info.context
        specs = [_process_spec(process) for process in input.processes]
        found, user_errors = await _change(
            context,
            lambda: add_processes(
                context.settings, input.task, specs, context.now, context.principal
            ),
        )
        if found is None:
            return AddProcessesPayload(task=None, processes=[], user_errors=user_errors)
        task, processes = found
        _audit(context, Action.ADD_PROCESSES, [task])
        return AddProcessesPayload(
            task=(await _shown_tasks(info, [task], "task"))[0],
            processes=await _shown_processes(info, processes, "processes"),
            user_errors=[],
        )

    @resolved(
        "Give an array more jobs, while it runs: for workflows that grow. Its progress and state"
        " follow."
    )
    async def grow_process(
        self,
        info: Info,
        input: Annotated[mutation_inputs.GrowProcessInput, INPUT],  # noqa: A002
    ) -> GrowProcessPayload:
        """Raise the number of jobs of an array."""
        context = info.context
        found, user_errors = await _change(
            context,
            lambda: grow_process(
                context.settings,
                input.task,
                input.process,
                input.job_count,
                context.now,
                context.principal,
                input.failure_tolerance,
            ),
        )
        if found is None:
            return GrowProcessPayload(process=None, user_errors=user_errors)
        task, process = found
        _audit(context, Action.GROW_PROCESS, [task])
        [shown] = await _shown_processes(info, [process], "process")
        return GrowProcessPayload(process=shown, user_errors=[])

    @resolved("Delete a task with all its events. Its name can be used again immediately.")
    async def delete_task(
        self,
        info: Info,
        input: Annotated[mutation_inputs.DeleteTaskInput, INPUT],  # noqa: A002
    ) -> DeleteTaskPayload:
        """Soft-delete one task."""
        ids, user_errors = await _delete(info.context, [input.name])
        if not ids and not user_errors:
            user_errors = [UserError.of(task_not_found(input.name, "name"))]
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
        input: Annotated[event_inputs.SubmitEventInput, INPUT],  # noqa: A002
    ) -> SubmitEventPayload:
        """Store one event."""
        return (await _submit(info, [input], "process"))[0]

    @resolved(
        "Submit events of any jobs. The response is sent after they are stored durably. Each event"
        " is accepted or refused on its own."
    )
    async def submit_events(
        self,
        info: Info,
        input: Annotated[event_inputs.SubmitEventsInput, INPUT],  # noqa: A002
    ) -> SubmitEventsPayload:
        """Store all valid events."""
        try:
            info.context.services.check_number_of_events(len(input.events))
        except errors.UserError as error:
            return SubmitEventsPayload(results=[], user_errors=[UserError.of(error)])
        return SubmitEventsPayload(
            results=await _submit(info, input.events, "results", "process"), user_errors=[]
        )


async def _change(
    context: Context, prepare: Callable[[], Work[T]]
) -> tuple[T | None, list[UserError]]:
    """The result of an operation on tasks, or the errors in its input."""
    context.refresh()
    try:
        return await context.services.change_tasks(context.principal, prepare), []
    except InvalidInput as invalid:
        return None, [UserError.of(error) for error in invalid.errors]


async def _shown_tasks(info: Info, written: Sequence[TaskRow], *path: str) -> list[Task]:
    """Tasks that were written, to be shown at a path below the mutation.

    If more is selected than their rows, that is read after the commit, and others may have written
    meanwhile. Then the rows are read again with it, so that all is of one state. If that fails, or
    the task has been deleted meanwhile, the rows are those that were written, and the fields that
    read more report the error: the mutation itself has succeeded.
    """
    if not reads_task(info, *path):
        return [Task.of(row) for row in written]
    load = info.context.load
    found = await asyncio.gather(
        *(load.task_by_id(row.id) for row in written), return_exceptions=True
    )
    return [
        Task.of(new if isinstance(new, TaskRow) else row)
        for new, row in zip(found, written, strict=True)
    ]


async def _shown_processes(info: Info, written: Sequence[ProcessRow], *path: str) -> list[Process]:
    """Processes that were written, to be shown at a path; see :func:`_shown_tasks`."""
    if not reads_process(info, *path):
        return [Process.of(row) for row in written]
    load = info.context.load
    found = await asyncio.gather(
        *(load.process_by_key(row.task_id, row.number) for row in written), return_exceptions=True
    )
    return [
        Process.of(new if isinstance(new, ProcessRow) else row)
        for new, row in zip(found, written, strict=True)
    ]


async def _create(
    info: Info, tasks: Sequence[mutation_inputs.CreateTaskInput], path: str
) -> tuple[list[Task], list[str | None], list[UserError]]:
    """The new tasks, the tokens of those for which one was asked, and the errors in the input."""
    context = info.context
    if any(task.issue_token for task in tasks):
        try:
            context.services.authentication.keys.require()
        except errors.UserError as error:
            return [], [], [UserError.of(error)]
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
            notify=task.notify,
        )
        for task in tasks
    ]
    created, user_errors = await _change(
        context, lambda: create_tasks(context.settings, specs, context.now, context.principal)
    )
    rows = created or []
    _audit(context, Action.CREATE_TASK, rows)
    tokens = [
        sign(context, JobGrant(row.id, row.token_generation)) if task.issue_token else None
        for task, row in zip(tasks, rows, strict=False)
    ]
    return await _shown_tasks(info, rows, path), tokens, user_errors


def _process_spec(process: mutation_inputs.ProcessInput) -> ProcessSpec:
    return ProcessSpec(
        name=process.name,
        job_count=process.job_count,
        first_index=process.first_index,
        failure_tolerance=process.failure_tolerance,
        threshold=process.threshold,
        beat_interval=process.beat_interval,
    )


def _audit(context: Context, action: Action, tasks: Sequence[TaskRow]) -> None:
    names = [task.name for task in tasks]
    audit(context.principal, context.client_address, action, names)


async def _delete(
    context: Context, names: Sequence[str]
) -> tuple[list[strawberry.ID], list[UserError]]:
    context.refresh()
    try:
        deleted = await context.services.delete_tasks(
            context.principal, context.client_address, names
        )
    except InvalidInput as invalid:
        return [], [UserError.of(error) for error in invalid.errors]
    return [global_id("Task", task.id) for task in deleted], []


async def _submit(
    info: Info, events: Sequence[event_inputs.SubmitEventInput], *path: str
) -> list[SubmitEventPayload]:
    context = info.context
    context.refresh()
    checked = [
        event.check(context.settings, received_at, context.client_address)
        for event, received_at in zip(events, arrival_times(context.now, len(events)), strict=True)
    ]
    correct_times(checked, context.clock_offset)
    outcomes = await context.services.record_events(
        context.principal, context.client_address, checked
    )
    stored = [outcome for outcome in outcomes if isinstance(outcome, Outcome)]
    processes = iter(await _shown_processes(info, [outcome.process for outcome in stored], *path))
    return [
        SubmitEventPayload.of(outcome, next(processes))
        if isinstance(outcome, Outcome)
        else SubmitEventPayload.refused(outcome)
        for outcome in outcomes
    ]

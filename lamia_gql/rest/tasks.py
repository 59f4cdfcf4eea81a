"""What can be done with tasks: ``/api/v0`` and ``/api/v0/{task}``."""

from __future__ import annotations

from collections.abc import Sequence

from lamia_gql.api.request_body import BadRequest, decode
from lamia_gql.domain.errors import ErrorCode, UserError
from lamia_gql.domain.pagination import Slice
from lamia_gql.ingest.task_input import TaskEdit, TaskSpec
from lamia_gql.ingest.tasks import create_tasks, update_tasks
from lamia_gql.rest.endpoint import Answer, Call
from lamia_gql.rest.pagination import asked_page, page_answer
from lamia_gql.rest.parsing import expect, named, task_edit, task_spec
from lamia_gql.rest.serializers import show_task
from lamia_gql.storage.filters import TaskFilter, choices
from lamia_gql.storage.queries.tasks import (
    TaskOrder,
    all_processes,
    read_tags,
    read_task_json,
    read_tasks,
    tasks_by_name,
)
from lamia_gql.storage.rows import ProcessRow, TaskJson, TaskRow
from lamia_gql.storage.transaction import ReadConnection

TaskParts = tuple[TaskJson, list[str], list[ProcessRow]]
"""What is attached to a task, its tags and its processes."""


async def create(call: Call) -> Answer:
    """Make the task of the address."""
    return await _create(call, [task_spec(call.task, await call.body(), call.client_address)])


async def create_many(call: Call) -> Answer:
    """Make all tasks of a list, or none."""
    body = await call.body()
    return await _create(
        call, named(body, lambda name, task: task_spec(name, task, call.client_address))
    )


async def _create(call: Call, specs: Sequence[TaskSpec]) -> Answer:
    settings = call.services.settings
    await call.services.database.write(lambda c: create_tasks(c, settings, specs, call.now))
    return Answer({"created": True}, 201)


async def edit(call: Call) -> Answer:
    """Edit the task of the address."""
    return await _edit(call, [task_edit(call.task, await call.body())])


async def edit_many(call: Call) -> Answer:
    """Edit all tasks of a list, or none."""
    return await _edit(call, named(await call.body(), task_edit))


async def _edit(call: Call, edits: Sequence[TaskEdit]) -> Answer:
    settings = call.services.settings
    found = await call.services.database.write(lambda c: update_tasks(c, settings, edits, call.now))
    return Answer({"updated": len(found)})


async def delete(call: Call) -> Answer:
    """Delete the task of the address."""
    gone = await call.services.delete([call.task])
    if not gone:
        raise no_task(call.task)
    return Answer({"deleted": 1})


async def delete_many(call: Call) -> Answer:
    """Delete the tasks that a list names; without a list, nothing: never everything."""
    raw = await call.raw()
    names = decode(raw, "The body") if raw else None
    if not isinstance(names, list):
        raise BadRequest(
            403,
            "LIST_REQUIRED",
            "All tasks at once are not to be deleted: send a list of the names of those that are.",
        )
    gone = await call.services.delete(
        [expect(name, str, f"names.{place}", "a string") for place, name in enumerate(names)]
    )
    return Answer({"deleted": len(gone)})


async def get(call: Call) -> Answer:
    """The task of the address."""
    database = call.services.database

    def read(connection: ReadConnection) -> tuple[TaskRow, TaskParts] | None:
        task = tasks_by_name(connection, [call.task])[0]
        return task and (task, _parts(connection, [task])[0])

    found = await database.read(read)
    if found is None:
        return Answer({"error": no_task(call.task).message}, 404)
    task, parts = found
    return Answer(show_task(task, *parts))


async def get_many(call: Call) -> Answer:
    """A page of the tasks, newest first; of those with any of some tags."""
    database, order = call.services.database, TaskOrder()
    page = asked_page(call, order.kind, order.types)
    wanted = TaskFilter(tags_any=choices(call.query.getlist("tag") or None, "tag"))

    def read(connection: ReadConnection) -> tuple[Slice[TaskRow], list[TaskParts]]:
        found = read_tasks(connection, wanted, order, page)
        return found, _parts(connection, found.items)

    found, parts = await database.read(read)
    shown = [show_task(task, *rest) for task, rest in zip(found.items, parts, strict=True)]
    return page_answer(call, found, shown, order.cursor)


def no_task(name: str) -> UserError:
    """The error for a task that is not there."""
    return UserError(ErrorCode.TASK_NOT_FOUND, f"There is no task “{name}”.", "task")


def _parts(connection: ReadConnection, tasks: Sequence[TaskRow]) -> list[TaskParts]:
    ids = [task.id for task in tasks]
    return list(
        zip(
            read_task_json(connection, ids),
            read_tags(connection, ids),
            all_processes(connection, ids),
            strict=True,
        )
    )

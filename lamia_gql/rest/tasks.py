"""Creating, changing, deleting and reading tasks: ``/api/v0`` and ``/api/v0/{task}``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lamia_gql.access.job_tokens import issue
from lamia_gql.api.audit import Action, audit
from lamia_gql.api.request_body import HttpError, parse_json
from lamia_gql.domain.access import JobGrant
from lamia_gql.domain.not_found import task_not_found
from lamia_gql.domain.pagination import Slice
from lamia_gql.ingest.task_input import TaskEdit, check_number
from lamia_gql.ingest.tasks import Work, create_tasks, update_tasks
from lamia_gql.rest.endpoint import RestResponse
from lamia_gql.rest.pagination import page_response, requested_page
from lamia_gql.rest.parsing import (
    NewTask,
    parse_named_list,
    parse_new_task,
    parse_task_edit,
    require_type,
)
from lamia_gql.rest.request import RestRequest
from lamia_gql.rest.serializers import serialize_task
from lamia_gql.storage.filters import TaskFilter, choices
from lamia_gql.storage.queries.processes import all_processes
from lamia_gql.storage.queries.tasks import (
    TaskOrder,
    read_tags,
    read_task_json,
    read_tasks,
    tasks_by_name,
)
from lamia_gql.storage.rows import ProcessRow, TaskJson, TaskRow
from lamia_gql.storage.transaction import Hold, ReadConnection

TaskParts = tuple[TaskJson, list[str], list[ProcessRow]]
"""The config and dependencies of a task, its tags and its processes."""


async def create(request: RestRequest) -> RestResponse:
    """Create the task in the address."""
    return await create_named(request, request.task, await request.json_body())


async def create_named(request: RestRequest, name: str, body: Any) -> RestResponse:
    """Create the task of this name, which is described by the body."""
    settings, address = request.services.settings, request.client_address
    [token] = await _create(request, lambda: [parse_new_task(name, body, settings, address)])
    issued = {} if token is None else {"token": token}
    return RestResponse({"created": True} | issued, 201)


async def create_many(request: RestRequest) -> RestResponse:
    """Create all tasks of a list, or none."""
    body, settings = await request.json_body(), request.services.settings
    tokens = await _create(
        request,
        lambda: parse_named_list(
            body,
            settings.max_tasks_per_request,
            lambda name, task: parse_new_task(name, task, settings, request.client_address),
        ),
    )
    issued = {"tokens": tokens} if any(tokens) else {}
    return RestResponse({"created": True} | issued, 201)


async def _create(request: RestRequest, parse: Callable[[], Sequence[NewTask]]) -> list[str | None]:
    """Create tasks; the tokens of those for which one was asked."""
    services, wanted = request.services, list[NewTask]()
    keys = services.authentication.keys

    def prepare() -> Work[list[TaskRow]]:
        wanted.extend(parse())
        if any(task.issue_token for task in wanted):
            keys.require()
        specs = [task.spec for task in wanted]
        return create_tasks(services.settings, specs, request.now, request.principal)

    created = await services.change_tasks(request.principal, prepare)
    _audit(request, Action.CREATE_TASK, created)
    return [
        issue(keys, JobGrant(row.id, row.token_generation)) if task.issue_token else None
        for task, row in zip(wanted, created, strict=True)
    ]


async def edit(request: RestRequest) -> RestResponse:
    """Change the task in the address."""
    body = await request.json_body()
    return await _edit(request, lambda: [parse_task_edit(request.task, body)])


async def edit_many(request: RestRequest) -> RestResponse:
    """Change all tasks of a list, or none."""
    body, limit = await request.json_body(), request.services.settings.max_tasks_per_request
    return await _edit(request, lambda: parse_named_list(body, limit, parse_task_edit))


async def _edit(request: RestRequest, parse: Callable[[], Sequence[TaskEdit]]) -> RestResponse:
    settings = request.services.settings
    found = await request.services.change_tasks(
        request.principal,
        lambda: update_tasks(settings, parse(), request.now, request.principal),
    )
    _audit(request, Action.UPDATE_TASK, found)
    return RestResponse({"updated": len(found)})


def _audit(request: RestRequest, action: Action, tasks: Sequence[TaskRow]) -> None:
    audit(request.principal, request.client_address, action, [task.name for task in tasks])


async def delete(request: RestRequest) -> RestResponse:
    """Delete the task in the address."""
    deleted = await request.services.delete_tasks(
        request.principal, request.client_address, [request.task]
    )
    if not deleted:
        raise task_not_found(request.task)
    return RestResponse({"deleted": 1})


async def delete_many(request: RestRequest) -> RestResponse:
    """Delete the tasks in a list of names. Without a list, nothing is deleted."""
    raw = await request.raw_body()
    names = parse_json(raw, "The body") if raw else None
    if not isinstance(names, list):
        raise HttpError(
            403,
            "LIST_REQUIRED",
            "To delete tasks, send a list of their names. All tasks at once cannot be deleted.",
        )
    check_number(len(names), request.services.settings.max_tasks_per_request, "names")
    deleted = await request.services.delete_tasks(
        request.principal,
        request.client_address,
        [require_type(name, str, f"names.{place}", "a string") for place, name in enumerate(names)],
    )
    return RestResponse({"deleted": len(deleted)})


async def get(request: RestRequest) -> RestResponse:
    """The task in the address, with its processes."""

    def read(connection: ReadConnection) -> tuple[TaskRow, TaskParts] | None:
        task = tasks_by_name(connection, [request.task])[0]
        return task and (task, _parts(connection, [task], request.budget.hold)[0])

    found = await request.read(read)
    if found is None:
        return RestResponse({"error": task_not_found(request.task).message}, 404)
    task, parts = found
    return RestResponse(serialize_task(request.root, task, *parts))


async def get_many(request: RestRequest) -> RestResponse:
    """A page of the tasks, newest first; with ``tag``, of those that have one of the tags."""
    order = TaskOrder()
    page = requested_page(request, order.cursors)
    wanted = TaskFilter(tags_any=choices(request.query.getlist("tag") or None, "tag"))

    def read(connection: ReadConnection) -> tuple[Slice[TaskRow], list[TaskParts]]:
        found = read_tasks(connection, wanted, order, page).tasks
        return found, _parts(connection, found.items, request.budget.hold)

    found, parts = await request.read(read)
    serialized = [
        serialize_task(request.root, task, *rest)
        for task, rest in zip(found.items, parts, strict=True)
    ]
    return page_response(request, found, serialized, order.cursor)


def _parts(connection: ReadConnection, tasks: Sequence[TaskRow], hold: Hold) -> list[TaskParts]:
    ids = [task.id for task in tasks]
    return list(
        zip(
            read_task_json(connection, ids, hold),
            read_tags(connection, ids),
            all_processes(connection, ids),
            strict=True,
        )
    )

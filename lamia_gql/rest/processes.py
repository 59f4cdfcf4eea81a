"""Reading processes: ``/api/v0/{task}/{process}`` and ``/api/v0/{task}/@all``."""

from __future__ import annotations

from collections.abc import Sequence

from lamia_gql.domain.not_found import process_not_found, task_not_found
from lamia_gql.domain.pagination import Page
from lamia_gql.rest.endpoint import RestResponse
from lamia_gql.rest.parsing import parse_event_class
from lamia_gql.rest.request import RestRequest
from lamia_gql.rest.serializers import serialize_process
from lamia_gql.storage.filters import ProcessFilter, choices
from lamia_gql.storage.queries.processes import processes_by_name, read_processes
from lamia_gql.storage.queries.tasks import tasks_by_name
from lamia_gql.storage.rows import ProcessRow
from lamia_gql.storage.transaction import ReadConnection


async def get(request: RestRequest) -> RestResponse:
    """The process in the address."""
    process = await request.read(lambda connection: find_process(connection, request))
    return RestResponse(serialize_process(request.root, request.task, process))


async def get_many(request: RestRequest) -> RestResponse:
    """All processes of the task, or those that have an event of one of the given classes."""
    words = choices(request.query.getlist("hasEventsOfClass"), "hasEventsOfClass") or ()
    classes = tuple(parse_event_class(word, "hasEventsOfClass") for word in words)
    wanted = ProcessFilter(has_event_class=classes or None)
    page = Page(request.services.settings.max_processes)

    def read(connection: ReadConnection) -> Sequence[ProcessRow]:
        task = tasks_by_name(connection, [request.task])[0]
        if task is None:
            raise task_not_found(request.task)
        return read_processes(connection, [task.id], wanted, page)[0].items

    found = await request.read(read)
    return RestResponse(
        [serialize_process(request.root, request.task, process) for process in found]
    )


def find_process(connection: ReadConnection, request: RestRequest) -> ProcessRow:
    """The process in the address. Raises :class:`UserError` if it does not exist."""
    task = tasks_by_name(connection, [request.task])[0]
    if task is None:
        raise task_not_found(request.task)
    process = processes_by_name(connection, [(task.id, request.process)])[0]
    if process is None:
        raise process_not_found(request.task, request.process)
    return process

"""What can be seen of processes: ``/api/v0/{task}/{process}`` and ``/api/v0/{task}/@all``."""

from __future__ import annotations

from collections.abc import Sequence

from lamia_gql.domain.errors import ErrorCode, UserError
from lamia_gql.domain.pagination import Page
from lamia_gql.rest.endpoint import Answer, Call
from lamia_gql.rest.parsing import event_class
from lamia_gql.rest.serializers import show_process
from lamia_gql.rest.tasks import no_task
from lamia_gql.storage.filters import ProcessFilter, choices
from lamia_gql.storage.queries.tasks import processes_by_name, read_processes, tasks_by_name
from lamia_gql.storage.rows import ProcessRow
from lamia_gql.storage.transaction import ReadConnection


async def get(call: Call) -> Answer:
    """The process of the address."""
    process = await call.services.database.read(lambda connection: find_process(connection, call))
    return Answer(show_process(call.task, process))


async def get_many(call: Call) -> Answer:
    """The processes of the task, all or those with an event of some classes."""
    database = call.services.database
    words = choices(call.query.getlist("hasEventsOfClass"), "hasEventsOfClass") or ()
    classes = tuple(event_class(word, "hasEventsOfClass") for word in words)
    wanted = ProcessFilter(has_event_class=classes or None)
    page = Page(call.services.settings.max_processes)

    def read(connection: ReadConnection) -> Sequence[ProcessRow]:
        task = tasks_by_name(connection, [call.task])[0]
        if task is None:
            raise no_task(call.task)
        return read_processes(connection, [task.id], wanted, page)[0].items

    found = await database.read(read)
    return Answer([show_process(call.task, process) for process in found])


def find_process(connection: ReadConnection, call: Call) -> ProcessRow:
    """The process of the address. Raises :class:`UserError`."""
    task = tasks_by_name(connection, [call.task])[0]
    if task is None:
        raise no_task(call.task)
    process = processes_by_name(connection, [(task.id, call.process)])[0]
    if process is None:
        raise UserError(
            ErrorCode.PROCESS_NOT_FOUND,
            f"Task “{call.task}” has no process “{call.process}”.",
            "process",
        )
    return process

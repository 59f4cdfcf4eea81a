"""What can be seen of processes: ``/api/v0/{task}/{process}`` and ``/api/v0/{task}/@all``."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from lamia_gql.domain.errors import ErrorCode, UserError
from lamia_gql.domain.pagination import Page
from lamia_gql.rest.endpoint import Answer, Call
from lamia_gql.rest.parsing import event_class
from lamia_gql.rest.serializers import show_process
from lamia_gql.rest.tasks import no_task
from lamia_gql.storage.filters import ProcessFilter, choices
from lamia_gql.storage.queries.tasks import processes_by_name, read_processes, tasks_by_name
from lamia_gql.storage.rows import ProcessRow


async def get(call: Call) -> Answer:
    """The process of the address."""
    is_sqlite = call.services.database.is_sqlite
    process = await call.services.database.read(
        lambda connection: find_process(connection, is_sqlite, call)
    )
    return Answer(show_process(call.task, process))


async def get_many(call: Call) -> Answer:
    """The processes of the task, all or those with an event of some classes."""
    database = call.services.database
    words = choices(call.query.getlist("hasEventsOfClass"), "hasEventsOfClass") or ()
    classes = tuple(event_class(word, "hasEventsOfClass") for word in words)
    wanted = ProcessFilter(has_event_class=classes or None)
    page = Page(call.services.settings.max_processes)

    def read(connection: Connection) -> Sequence[ProcessRow]:
        task = tasks_by_name(connection, database.is_sqlite, [call.task])[0]
        if task is None:
            raise no_task(call.task)
        return read_processes(connection, database.is_sqlite, [task.id], wanted, page)[0].items

    found = await database.read(read)
    return Answer([show_process(call.task, process) for process in found])


def find_process(connection: Connection, is_sqlite: bool, call: Call) -> ProcessRow:
    """The process of the address. Raises :class:`UserError`."""
    task = tasks_by_name(connection, is_sqlite, [call.task])[0]
    if task is None:
        raise no_task(call.task)
    process = processes_by_name(connection, is_sqlite, [(task.id, call.process)])[0]
    if process is None:
        raise UserError(
            ErrorCode.PROCESS_NOT_FOUND,
            f"Task “{call.task}” has no process “{call.process}”.",
            "process",
        )
    return process

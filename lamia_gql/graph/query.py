"""The root type ``Query``."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

import strawberry

from lamia_gql import __version__
from lamia_gql.domain.errors import ErrorCode, RequestError
from lamia_gql.domain.pagination import page
from lamia_gql.graph.context import Info
from lamia_gql.graph.types import filter_inputs
from lamia_gql.graph.types.connection import Connection, Node, invalid_id_error, parse_id
from lamia_gql.graph.types.event import Event
from lamia_gql.graph.types.fields import After, Before, First, Last, argument, field, resolved
from lamia_gql.graph.types.job import Job
from lamia_gql.graph.types.process import Process
from lamia_gql.graph.types.task import Task
from lamia_gql.storage import filters
from lamia_gql.storage.queries.tasks import TaskOrder

TaskName = Annotated[str, argument("Name of the task.")]
ProcessName = Annotated[str, argument("Name of the process in the task.")]
MAX_KEY = 2**63 - 1


@strawberry.type(description="Version, time and limits of this server.")
class Server:
    """The server, as far as clients need to know it."""

    version: str = field("Version of lamia-gql.")
    time: datetime = field("Present time of the server's clock.")
    page_limit: int = field("Largest value of `first` and `last`.")
    timeline_limit: int = field("Largest number of `points` of a `timeline`.")
    max_job_count: int = field("Largest number of jobs in one array.")
    max_processes: int = field("Largest number of processes in one task.")
    max_tasks_per_request: int = field(
        "Largest number of tasks that one request may create or delete."
    )
    max_events_per_request: int = field("Largest number of events that one request may submit.")
    max_payload_bytes: int = field("Largest JSON payload of one event, in bytes.")
    beat_interval: float | None = field(
        "Time between two BEAT events of a job, in seconds, for processes without a `beatInterval`"
        " of their own. Null if the server has no default."
    )


@strawberry.type(description="Everything that can be queried.")
class Query:
    """The root of all queries."""

    @resolved("The object with this id. Null if it has been deleted.")
    async def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, argument("Id of the object.")],  # noqa: A002
    ) -> Node | None:
        """The object with a global id. Raises :class:`RequestError` for an invalid id."""
        kind, key = parse_id(id)
        load = info.context.load
        match kind, key:
            case "Task", (int(task_id),) if _are_keys(task_id):
                task = await load.task_by_id(task_id)
                return None if task is None else Task.of(task)
            case "Process", (int(task_id), int(number)) if _are_keys(task_id, number):
                process = await load.process_by_key(task_id, number)
                return None if process is None else Process.of(process)
            case "Job", (int(task_id), int(number), int(index)) if _are_keys(
                task_id, number, index
            ):
                process = await load.process_by_key(task_id, number)
                return None if process is None else await Job.find(info, process, index)
            case "Event", (int(task_id), str(event_id)) if _are_keys(task_id):
                event = await load.event(task_id, _uuid(event_id))
                return None if event is None else Event.of(event)
        raise invalid_id_error()

    @resolved("The task with this name. Null if there is none.")
    async def task(self, info: Info, name: TaskName) -> Task | None:
        """One task."""
        found = await info.context.load.task_by_name(name)
        return None if found is None else Task.of(found)

    @resolved("All tasks that match, by default the newest first. Null only with an error.")
    async def tasks(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Annotated[  # noqa: A002  (its name in the schema)
            filter_inputs.TaskFilter | None, argument("Only tasks that match. Defaults to all.")
        ] = None,
        order_by: Annotated[
            filter_inputs.TaskOrder | None,
            argument("Order of the tasks. Defaults to `receivedAt`, descending."),
        ] = None,
    ) -> Connection[Task] | None:
        """A page of tasks. Nullable, so that its error leaves the other fields of the query."""
        load = info.context.load
        wanted = filters.TaskFilter() if filter is None else filter.parse()
        order = TaskOrder() if order_by is None else order_by.parse()
        part = page(
            order.cursors,
            info.context.settings.page_limit,
            first=first,
            after=after,
            last=last,
            before=before,
        )
        return Connection[Task].of(
            await load.tasks(wanted, order, part),
            Task.of,
            order.cursor,
            lambda: load.count_tasks(wanted),
        )

    @resolved(
        "The process with this name in a task. Null if the task or the process does not exist."
    )
    async def process(self, info: Info, task: TaskName, name: ProcessName) -> Process | None:
        """One process."""
        load = info.context.load
        owner = await load.task_by_name(task)
        found = None if owner is None else await load.process_by_name(owner.id, name)
        return None if found is None else Process.of(found)

    @resolved("A job of a process. Null if the task, the process or the index does not exist.")
    async def job(
        self,
        info: Info,
        task: TaskName,
        process: ProcessName,
        index: Annotated[
            int | None,
            argument("Index of the job. Required for arrays, not allowed for solitary processes."),
        ] = None,
    ) -> Job | None:
        """One job. Raises :class:`RequestError` if the index is missing or not allowed."""
        load = info.context.load
        owner = await load.task_by_name(task)
        found = None if owner is None else await load.process_by_name(owner.id, process)
        if found is None:
            return None
        if found.is_array and index is None:
            raise RequestError(
                ErrorCode.INDEX_REQUIRED, f"Process “{process}” is an array: give `index`."
            )
        if not found.is_array and index is not None:
            raise RequestError(
                ErrorCode.INDEX_FORBIDDEN,
                f"Process “{process}” is solitary: omit `index`.",
            )
        return await Job.find(info, found, 0 if index is None else index)

    @resolved("Version, time and limits of this server.")
    def server(self, info: Info) -> Server:
        """The server, from its settings."""
        settings = info.context.settings
        return Server(
            version=__version__,
            time=info.context.now,
            page_limit=settings.page_limit,
            timeline_limit=settings.timeline_limit,
            max_job_count=settings.max_job_count,
            max_processes=settings.max_processes,
            max_tasks_per_request=settings.max_tasks_per_request,
            max_events_per_request=settings.max_events_per_request,
            max_payload_bytes=settings.max_payload_bytes,
            beat_interval=settings.beat_interval,
        )


def _are_keys(*numbers: int) -> bool:
    return all(type(number) is int and 0 <= number <= MAX_KEY for number in numbers)


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise invalid_id_error() from None

"""The root of all queries."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

import strawberry

from lamia_gql import __version__
from lamia_gql.domain.errors import ErrorCode, RequestError
from lamia_gql.domain.pagination import page
from lamia_gql.graph.context import Info
from lamia_gql.graph.types import inputs
from lamia_gql.graph.types.connection import Connection, Node, bad_id, parse_id
from lamia_gql.graph.types.event import Event
from lamia_gql.graph.types.fields import After, Before, First, Last, argument, field, resolved
from lamia_gql.graph.types.job import Job, find_job
from lamia_gql.graph.types.process import Process, make_process
from lamia_gql.graph.types.task import Task
from lamia_gql.storage import filters
from lamia_gql.storage.queries.tasks import TaskOrder

TaskName = Annotated[str, argument("The task's name.")]
ProcessName = Annotated[str, argument("The name of the process in the task.")]
LARGEST_KEY = 2**63


@strawberry.type(description="This server, and what it allows.")
class Server:
    """The server's version, time and limits."""

    version: str = field("The version of lamia-gql.")
    time: datetime = field("The server's clock.")
    page_limit: int = field("The most that `first` or `last` may ask of a list.")
    timeline_limit: int = field("The most points that a `timeline` may be asked for.")
    max_job_count: int = field("The most jobs in one array.")
    max_processes: int = field("The most processes in one task.")
    max_tasks_per_request: int = field("The most tasks that one request may create or delete.")
    max_events_per_request: int = field("The most events that one request may submit.")
    max_payload_bytes: int = field("The largest JSON payload of one event, in bytes.")
    beat_interval: float | None = field(
        "How often, in seconds, jobs should give a sign where their process does not say."
    )


@strawberry.type(description="What can be asked.")
class Query:
    """The queries."""

    @resolved("Any object, by its id; null where there is none any more.")
    async def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, argument("The object's id.")],  # noqa: A002
    ) -> Node | None:
        """The object of a global id. Raises :class:`RequestError` for an id of nobody's."""
        kind, key = parse_id(id)
        load = info.context.load
        match kind, key:
            case "Task", (int(task_id),) if _are_keys(task_id):
                task = await load.task_by_id(task_id)
                return None if task is None else Task.of(task)
            case "Process", (int(task_id), int(number)) if _are_keys(task_id, number):
                process = await load.process_by_key(task_id, number)
                return None if process is None else make_process(process)
            case "Job", (int(task_id), int(number), int(index)) if _are_keys(
                task_id, number, index
            ):
                process = await load.process_by_key(task_id, number)
                return None if process is None else await find_job(info, process, index)
            case "Event", (int(task_id), str(event_id)) if _are_keys(task_id):
                event = await load.event(task_id, _uuid(event_id))
                return None if event is None else Event.of(event)
        raise bad_id()

    @resolved("The task of this name; null where there is none.")
    async def task(self, info: Info, name: TaskName) -> Task | None:
        """A task."""
        found = await info.context.load.task_by_name(name)
        return None if found is None else Task.of(found)

    @resolved("The tasks; newest first, unless said.")
    async def tasks(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Annotated[inputs.TaskFilter | None, argument("Which tasks.")] = None,  # noqa: A002
        order_by: Annotated[inputs.TaskOrder | None, argument("In which order.")] = None,
    ) -> Connection[Task]:
        """A page of the tasks."""
        load = info.context.load
        wanted = filters.TaskFilter() if filter is None else filter.parse()
        order = TaskOrder() if order_by is None else order_by.parse()
        part = page(
            order.kind,
            order.types,
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

    @resolved("A process of a task; null where there is none.")
    async def process(self, info: Info, task: TaskName, name: ProcessName) -> Process | None:
        """A process."""
        load = info.context.load
        owner = await load.task_by_name(task)
        found = None if owner is None else await load.process_by_name(owner.id, name)
        return None if found is None else make_process(found)

    @resolved("A job of a process; null where there is none.")
    async def job(
        self,
        info: Info,
        task: TaskName,
        process: ProcessName,
        index: Annotated[
            int | None, argument("The job's index: for arrays, and for arrays only.")
        ] = None,
    ) -> Job | None:
        """A job. Raises :class:`RequestError` for an index where none belongs, or the reverse."""
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
                f"Process “{process}” is solitary: leave `index` out.",
            )
        return await find_job(info, found, 0 if index is None else index)

    @resolved("This server, and what it allows.")
    def server(self, info: Info) -> Server:
        """The server."""
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
    return all(type(number) is int and 0 <= number < LARGEST_KEY for number in numbers)


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise bad_id() from None

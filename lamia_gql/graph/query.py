"""The root type ``Query``."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import strawberry

from lamia_gql import __version__
from lamia_gql.domain.errors import ErrorCode, RequestError
from lamia_gql.domain.pagination import Slice, check_size, page
from lamia_gql.domain.text_checks import is_storable
from lamia_gql.graph.credentials import CredentialQuery
from lamia_gql.graph.reads import KeyRead, ListRead, NodeRead, Reads, RowRead, Rows, ValueRead
from lamia_gql.graph.types import filter_inputs
from lamia_gql.graph.types.arguments import After, Before, First, Last, argument
from lamia_gql.graph.types.connection import (
    Connection,
    Node,
    invalid_id_error,
    page_of,
    parse_id,
)
from lamia_gql.graph.types.event import Event
from lamia_gql.graph.types.fields import any_row, derived, field, single, value
from lamia_gql.graph.types.job import FIND_JOBS, Job, find_jobs
from lamia_gql.graph.types.process import Process
from lamia_gql.graph.types.task import Task
from lamia_gql.storage import filters, models
from lamia_gql.storage.base import Base
from lamia_gql.storage.filters import check_length
from lamia_gql.storage.queries.counts import Count
from lamia_gql.storage.queries.events import events_by_id
from lamia_gql.storage.queries.processes import processes_by_key, processes_by_name
from lamia_gql.storage.queries.tasks import (
    LivenessTerms,
    TaskOrder,
    count_tasks,
    read_tasks,
    read_usernames,
    tasks_by_id,
    tasks_by_name,
)
from lamia_gql.storage.row_shape import RowShape, row_shape
from lamia_gql.storage.rows import ProcessRow
from lamia_gql.storage.transaction import ReadConnection

TaskName = Annotated[str, argument("Name of the task.")]
ProcessName = Annotated[str, argument("Name of the process in the task.")]
MAX_KEY = 2**63 - 1
TASK_KEY = row_shape(models.Task, frozenset())
"""The key only."""


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


ENTITIES: dict[str, tuple[type[Base], Callable[[Any], Any]]] = {
    "Task": (models.Task, Task.of),
    "Process": (models.Process, Process.of),
    "Job": (models.Job, lambda pair: Job.of(*pair)),
    "Event": (models.Event, Event.of),
}
"""By the name of the type in an id: the table, and what makes an object of a row."""
ORDER_COLUMNS = ("name", "received_at", "submitted_at", "last_event_at", "finished_at")


def _find_node(*, id: Annotated[strawberry.ID, argument("Id of the object.")]) -> NodeRead:  # noqa: A002
    """What reads the object with a global id. Raises :class:`RequestError` for an invalid id."""
    kind, key = parse_id(id)
    match kind, key:
        case "Task", (int(task_id),) if _are_keys(task_id):
            return NodeRead(kind, _node(id, lambda c, s, _: tasks_by_id(c, [task_id], s)))
        case "Process", (int(task_id), int(number)) if _are_keys(task_id, number):
            owner = (task_id, number)
            return NodeRead(kind, _node(id, lambda c, s, _: processes_by_key(c, [owner], s)))
        case "Job", (int(task_id), int(number), int(index)) if _are_keys(task_id, number, index):
            return NodeRead(
                kind,
                RowRead(
                    ("node", id),
                    lambda reads, _rows, shape, owner: find_jobs(
                        reads,
                        processes_by_key(reads.connection, [(task_id, number)], owner),
                        index,
                        shape,
                    ),
                ),
            )
        case "Event", (int(task_id), str(event_id)) if _are_keys(task_id):
            event_key = (task_id, _uuid(event_id))
            return NodeRead(kind, _node(id, lambda c, s, _: events_by_id(c, [event_key], s)))
    raise invalid_id_error()


def _node(node_id: str, read: Callable[..., Any]) -> RowRead:
    return RowRead(
        ("node", node_id),
        lambda reads, _rows, shape, owner: read(reads.connection, shape, owner),
    )


def _task(*, name: TaskName) -> KeyRead:
    return KeyRead("task", name, tasks_by_name)


def _tasks(
    reads: Reads,
    *,
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
) -> ListRead:
    wanted = filters.TaskFilter() if filter is None else filter.parse()
    order = TaskOrder() if order_by is None else order_by.parse()
    part = page(
        order.cursors,
        reads.settings.page_limit,
        first=first,
        after=after,
        last=last,
        before=before,
    )

    terms = LivenessTerms(reads.now, reads.beat_interval)

    def ranks(task_ids: list[int], found: Mapping[int, int]) -> list[int]:
        # Kept by the operation: the cursors may be those of a page that another field has read.
        return reads.once("attention", task_ids, lambda ids: [found.get(each, 0) for each in ids])

    def read(reads: Reads, _rows: Rows, shape: RowShape[Any]) -> list[Slice[Any] | Exception]:
        found = read_tasks(reads.connection, wanted, order, part, terms, shape)
        ranks([*found.ranks], found.ranks)
        return [found.tasks]

    def count(reads: Reads, _rows: Rows) -> list[Count]:
        return [count_tasks(reads.connection, wanted, terms)]

    return ListRead(
        ("tasks", wanted, order, part),
        read,
        lambda task: order.cursor(task, ranks([task.id], {})[0]),
        ("count_tasks", wanted),
        count,
    )


def _usernames(
    *,
    prefix: Annotated[str, argument("What their names begin with, in any case.")] = "",
    first: Annotated[int, argument("Largest number of them; at most the server's `pageLimit`.")] = (
        20
    ),
) -> ValueRead:
    def read(reads: Reads, _rows: Rows) -> list[list[str]]:
        check_size("first", first, 0, reads.settings.page_limit)
        check_length(prefix, "prefix")
        return [read_usernames(reads.connection, prefix, first) if is_storable(prefix) else []]

    return ValueRead(("usernames", prefix, first), read)


def _find_processes(
    connection: ReadConnection, wanted: Sequence[tuple[str, str]], shape: RowShape[ProcessRow]
) -> list[ProcessRow | None]:
    """The process of each name of a task and name; None where there is none."""
    owners = tasks_by_name(connection, [task for task, _ in wanted], TASK_KEY)
    keys = [
        (owner.id, name)
        for owner, (_, name) in zip(owners, wanted, strict=True)
        if owner is not None
    ]
    found = iter(processes_by_name(connection, keys, shape) if keys else ())
    return [None if owner is None else next(found) for owner in owners]


def _process(*, task: TaskName, name: ProcessName) -> KeyRead:
    return KeyRead("process", (task, name), _find_processes)


def _job(
    *,
    task: TaskName,
    process: ProcessName,
    index: Annotated[
        int | None,
        argument("Index of the job. Required for arrays, not allowed for solitary processes."),
    ] = None,
) -> RowRead:
    """What reads one job. It gives an error if the index is missing or not allowed."""

    def read(
        reads: Reads, _rows: Rows, shape: RowShape[Any], owner: RowShape[Any]
    ) -> Sequence[Any]:
        [found] = _find_processes(reads.connection, [(task, process)], owner)
        if found is None:
            return [None]
        if found.is_array and index is None:
            raise RequestError(
                ErrorCode.INDEX_REQUIRED, f"Process “{process}” is an array: give `index`."
            )
        if not found.is_array and index is not None:
            raise RequestError(
                ErrorCode.INDEX_FORBIDDEN, f"Process “{process}” is solitary: omit `index`."
            )
        return find_jobs(reads, [found], 0 if index is None else index, shape)

    return RowRead(("job", task, process, index), read)


def _server(reads: Reads) -> Server:
    settings = reads.settings
    return Server(
        version=__version__,
        time=reads.now,
        page_limit=settings.page_limit,
        timeline_limit=settings.timeline_limit,
        max_job_count=settings.max_job_count,
        max_processes=settings.max_processes,
        max_tasks_per_request=settings.max_tasks_per_request,
        max_events_per_request=settings.max_events_per_request,
        max_payload_bytes=settings.max_payload_bytes,
        beat_interval=settings.beat_interval,
    )


@strawberry.type(description="Everything that can be queried.")
class Query(CredentialQuery):
    """The root of all queries."""

    node: Node | None = any_row(
        "The object with this id. Null if it has been deleted.",
        _find_node,
        ENTITIES,
        owner_needs=FIND_JOBS,
    )
    task: Task | None = single(
        "The task with this name. Null if there is none.",
        _task,
        models.Task,
        Task.of,
        is_by_key=True,
    )
    tasks: Connection[Task] | None = page_of(
        "All tasks that match, by default the newest first. Null only with an error.",
        _tasks,
        models.Task,
        lambda task, _owner: Task.of(task),
        cursor_needs=ORDER_COLUMNS,
    )
    usernames: list[str] | None = value(
        "Users who have submitted tasks, by name. Null only with an error.", _usernames
    )
    process: Process | None = single(
        "The process with this name in a task. Null if the task or the process does not exist.",
        _process,
        models.Process,
        Process.of,
        is_by_key=True,
    )
    job: Job | None = single(
        "A job of a process. Null if the task, the process or the index does not exist.",
        _job,
        models.Job,
        lambda pair: Job.of(*pair),
        owner_needs=(*FIND_JOBS, "kind"),
    )
    server: Server = derived("Version, time and limits of this server.", _server)


def _are_keys(*numbers: int) -> bool:
    return all(type(number) is int and 0 <= number <= MAX_KEY for number in numbers)


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise invalid_id_error() from None

"""The root type ``Subscription``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Annotated

import strawberry

from lamia_gql.domain.errors import ErrorCode, RequestError, UserError
from lamia_gql.domain.job_indices import job_index
from lamia_gql.domain.lifecycle import EventClass
from lamia_gql.domain.not_found import process_not_found, task_not_found
from lamia_gql.graph.context import Context, Info, WatchedTasks
from lamia_gql.graph.reading_fields import reads_process, reads_task
from lamia_gql.graph.stream_errors import end_as_request_error
from lamia_gql.graph.types import filter_inputs
from lamia_gql.graph.types.arguments import Classes, argument
from lamia_gql.graph.types.connection import Edge
from lamia_gql.graph.types.event import Event
from lamia_gql.graph.types.fields import streamed
from lamia_gql.graph.types.task import Task
from lamia_gql.live.event_stream import new_events, past_events
from lamia_gql.storage import filters
from lamia_gql.storage.queries.events import START_CURSOR, event_cursors
from lamia_gql.storage.rows import EventRow, TaskRow

LONGEST_INTERVAL_S = 60
"""The longest time between two snapshots that a client may ask for."""


@strawberry.type(description="Everything that can be subscribed to, over WebSocket or SSE.")
class Subscription:
    """The root of all subscriptions."""

    @streamed(
        "Events of a task, each exactly once, in the order in which the server received them. With"
        " `after`, the events after that cursor come first, then new ones as they are stored."
        " Completes when the task is deleted. A client that reads too slowly gets the error"
        " TOO_SLOW and can resume from its last cursor."
    )
    async def events(
        self,
        info: Info,
        task: Annotated[str, argument("Name of the task.")],
        process: Annotated[
            str | None, argument("Only events of this process. Defaults to all processes.")
        ] = None,
        index: Annotated[
            int | None,
            argument(
                "Only events of the job with this index. Requires `process`, which must be an"
                " array. Defaults to all jobs."
            ),
        ] = None,
        event_class: Classes = None,
        after: Annotated[
            str | None,
            argument(
                "Cursor of an event, from this subscription or from any list of events of the"
                " task; one of an earlier task of the same name is CURSOR_INVALID. All events after"
                " it are sent, including past ones. An empty string means from the first event. By"
                " default, only new events are sent. The header `Last-Event-ID` of an SSE client"
                " takes precedence."
            ),
        ] = None,
    ) -> AsyncGenerator[Edge[Event], None]:
        """Past and new events. Raises :class:`RequestError`."""
        context = info.context
        if context.new_events is None:
            owner = await context.load.task_by_name(task)
            if owner is None:
                raise _task_not_found(task)
            wanted = await _event_filter(context, owner, process, index, event_class)
            context.seq = _start_seq(context.last_event_id or after, owner)
            stream = _past_events(context, owner.id, wanted)
        else:
            stream = new_events(context.new_events)
        # What is below the jobs and processes must be read together with these.
        reads_more = reads_process(info, "node", "job") or reads_process(info, "node", "process")
        context.end_reads()
        async with aclosing(stream) as batches:
            with end_as_request_error():
                async for batch in batches:
                    context.refresh()
                    context.load.expect(batch)
                    for event in batch:
                        if reads_more:
                            context.refresh()
                        context.seq = event.seq
                        context.cursor = event_cursors(event.task_id).encode(event.seq)
                        yield Edge(cursor=context.cursor, node=Event.of(event))
                    context.end_reads()

    @streamed(
        "A task, each time it has changed: by an event, an update or new processes. Snapshots of a"
        " task are at least the server's `snapshot_interval` apart, and the last state is always"
        " sent. With `names`, the present state of each task is sent first, and the subscription"
        " completes when all of them are deleted. With `filter`, a task that stops matching is sent"
        " one last time, and a task that begins to match is sent from then on."
    )
    async def task_changed(
        self,
        info: Info,
        names: Annotated[
            list[str] | None,
            argument(
                "Only the tasks with these names, which must exist: with an empty list, the"
                " subscription completes at once. Defaults to all tasks."
            ),
        ] = None,
        filter: Annotated[  # noqa: A002  (its name in the schema)
            filter_inputs.TaskFilter | None,
            argument("Only tasks that match at the time of the change. Defaults to all tasks."),
        ] = None,
        interval: Annotated[
            float | None,
            argument(
                "The shortest time between snapshots, in seconds, from 0 to"
                f" {LONGEST_INTERVAL_S}: for selections that take long to read or to send. Changes"
                " meanwhile are combined, and the last state is always sent. Defaults to the"
                " server's `snapshot_interval`, which is the least."
            ),
        ] = None,
    ) -> AsyncGenerator[Task, None]:
        """Snapshots of tasks. Raises :class:`RequestError`."""
        context = info.context
        watches = context.services.task_watches
        wanted = filters.TaskFilter() if filter is None else filter.parse_for_changes()
        # What is below a task must be read together with it.
        reads_more = reads_task(info)
        interval_s = _checked_interval(interval)
        ids = None if names is None else await _load_ids(context, names)
        context.end_reads()
        with watches.watch(wanted, None if ids is None else ids.values(), interval_s) as watcher:
            if ids is not None:
                context.watched = WatchedTasks(ids, partial(watches.resend_all, watcher))
            with end_as_request_error():
                while True:
                    for task in await watcher.drain():
                        context.refresh()
                        shown = await context.load.task_by_id(task.id) if reads_more else task
                        if shown is not None:
                            context.task_id = task.id
                            yield Task.of(shown)
                    context.end_reads()


def _past_events(
    context: Context, task_id: int, wanted: filters.EventFilter
) -> AsyncGenerator[Sequence[EventRow], None]:
    assert context.join is not None
    return past_events(
        context.services.database,
        task_id,
        context.seq,
        wanted,
        context.client_address,
        partial(context.join, task_id, wanted),
    )


async def _event_filter(
    context: Context,
    task: TaskRow,
    process: str | None,
    index: int | None,
    classes: list[EventClass] | None,
) -> filters.EventFilter:
    event_classes = filter_inputs.event_filter(classes).classes
    if process is None:
        if index is not None:
            raise RequestError(ErrorCode.ARGUMENT_INVALID, "`index` requires `process`.")
        return filters.EventFilter(event_classes)
    found = await context.load.process_by_name(task.id, process)
    if found is None:
        raise RequestError(
            ErrorCode.PROCESS_NOT_FOUND, process_not_found(task.name, process).message
        )
    if index is not None:
        try:
            job_index(found, index)
        except UserError as error:
            raise RequestError(error.code, error.message) from None
    return filters.EventFilter(event_classes, found.number, index)


def _start_seq(cursor: str | None, task: TaskRow) -> int:
    """The number of the event after which the stream begins."""
    if cursor == START_CURSOR:
        return 0
    keyset = event_cursors(task.id).decode(cursor)
    if keyset is None:
        return task.last_seq
    seq: int = keyset[0]
    if seq > task.last_seq:
        raise RequestError(
            ErrorCode.CURSOR_INVALID,
            f"The cursor is beyond the latest event of task “{task.name}”: subscribe without a"
            " cursor.",
        )
    return seq


def _checked_interval(interval: float | None) -> float:
    if interval is not None and not 0 <= interval <= LONGEST_INTERVAL_S:
        raise RequestError(
            ErrorCode.ARGUMENT_INVALID,
            f"`interval` must be from 0 to {LONGEST_INTERVAL_S} seconds, not {interval:g}.",
        )
    return interval or 0.0


async def _load_ids(context: Context, names: Sequence[str]) -> Mapping[str, int]:
    limit = context.settings.max_tasks_per_request
    if len(names) > limit:
        raise RequestError(
            ErrorCode.TOO_MANY, f"{len(names)} names; the server takes at most {limit}."
        )
    found = await asyncio.gather(*(context.load.task_by_name(name) for name in names))
    ids = {}
    for name, task in zip(names, found, strict=True):
        if task is None:
            raise _task_not_found(name)
        ids[name] = task.id
    return ids


def _task_not_found(name: str) -> RequestError:
    return RequestError(ErrorCode.TASK_NOT_FOUND, task_not_found(name).message)

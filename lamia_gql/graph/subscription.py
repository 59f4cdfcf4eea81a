"""The root of all subscriptions: history first where it is asked for, then what happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Annotated

import strawberry

from lamia_gql.domain.errors import ErrorCode, RequestError
from lamia_gql.domain.lifecycle import EventClass
from lamia_gql.domain.pagination import decode_cursor, encode_opaque, integer
from lamia_gql.graph.context import Context, Info, Watched
from lamia_gql.graph.stream_errors import endings
from lamia_gql.graph.types import inputs
from lamia_gql.graph.types.connection import Edge
from lamia_gql.graph.types.event import Event
from lamia_gql.graph.types.fields import Classes, argument, streamed
from lamia_gql.graph.types.task import Task
from lamia_gql.live.feeds import ALL_TASKS
from lamia_gql.live.pubsub import CoalescingSubscriber
from lamia_gql.storage import filters
from lamia_gql.storage.queries.events import events_after
from lamia_gql.storage.queries.tasks import matching_ids, matching_tasks
from lamia_gql.storage.rows import EventRow, TaskRow

TOGETHER = 100
"""Events of the past that are read at once, and events of which the jobs are: few enough for these
to be of the present, and for the memory where a client reads slowly."""
BEGINNING = ""
"""The cursor of the place before a task's first event, which no list could give."""
MAX_REMEMBERED = 10_000
"""Tasks of which it is remembered that they match, so that their leaving is told."""


@strawberry.type(description="What can be watched, over WebSocket or SSE.")
class Subscription:
    """The subscriptions."""

    @streamed(
        "The events of a task, each once, in the order in which the server took them: those"
        " after `after`, then new ones as they come. Completes when the task is deleted. A"
        " client that does not keep up gets the error TOO_SLOW and can resume from its last"
        " cursor."
    )
    async def events(
        self,
        info: Info,
        task: Annotated[str, argument("The task's name.")],
        process: Annotated[
            str | None, argument("Only events of this process of the task; of all, unless said.")
        ] = None,
        index: Annotated[
            int | None, argument("Only events of this job: for arrays, and with `process` only.")
        ] = None,
        event_class: Classes = None,
        after: Annotated[
            str | None,
            argument(
                "A cursor of this list, or of any list of the task's events: all events behind it"
                " come, also those of the past. An empty text is the place before the first one."
                " Without, events come from now on. An SSE client's `Last-Event-ID` goes before it."
            ),
        ] = None,
    ) -> AsyncGenerator[Edge[Event], None]:
        """Events of the past and of the present. Raises :class:`RequestError`."""
        context = info.context
        owner = await context.load.task_by_name(task)
        if owner is None:
            raise _no_task(task)
        wanted = await _event_filter(context, owner, process, index, event_class)
        seq = _position(context.last_event_id or after, owner)
        async with aclosing(_follow(context, owner.id, seq, wanted)) as events:
            with endings():
                async for some in events:
                    context.refresh()
                    context.load.expect(some)
                    for event in some:
                        context.cursor = encode_opaque("e", event.seq)
                        yield Edge(cursor=context.cursor, node=Event.of(event))

    @streamed(
        "A task whenever it has changed: by an event, an edit, new processes. At most a few"
        " times a second each, and never without the last state. With `names` the present"
        " state of each comes first, and it completes when all of them are deleted. A task"
        " that matches `filter` no more comes once more; one that begins to match comes from"
        " then on."
    )
    async def task_changed(
        self,
        info: Info,
        names: Annotated[
            list[str] | None, argument("Only these tasks, which must be there; all, unless said.")
        ] = None,
        filter: Annotated[  # noqa: A002  (its name in the schema)
            inputs.TaskFilter | None, argument("Only tasks that match, now or later.")
        ] = None,
    ) -> AsyncGenerator[Task, None]:
        """Snapshots of tasks. Raises :class:`RequestError`."""
        context = info.context
        wanted = filters.TaskFilter() if filter is None else filter.parse()
        ids = None if names is None else await _ids(context, names)
        live = context.services.feeds
        with live.watch() if ids is None else live.watch(ids.values()) as gatherer:
            watched = None
            if ids is not None:
                watched = set(ids.values())
                context.watched = Watched(ids, gatherer)
            async with aclosing(_snapshots(context, gatherer, wanted, watched)) as tasks:
                with endings():
                    async for task in tasks:
                        context.refresh()
                        context.task_id = task.id
                        yield Task.of(task)


async def _follow(
    context: Context, task_id: int, seq: int, wanted: filters.EventFilter
) -> AsyncGenerator[Sequence[EventRow], None]:
    """The wanted events of a task after ``seq``, a few at once, without an end."""
    # A long past is read without a queue, which would fill up meanwhile.
    async with aclosing(_past(context, task_id, seq, wanted)) as past:
        async for events in past:
            yield events
            seq = events[-1].seq
    async with context.services.feeds.follow(task_id) as subscriber:
        async with aclosing(_past(context, task_id, seq, wanted)) as past:
            async for events in past:
                yield events
                seq = events[-1].seq
        while True:
            taken = await subscriber.take()
            new = [event for event in taken if event.seq > seq and wanted.matches(event)]
            for begin in range(0, len(new), TOGETHER):
                yield new[begin : begin + TOGETHER]
            seq = max(seq, taken[-1].seq)


async def _past(
    context: Context, task_id: int, seq: int, wanted: filters.EventFilter
) -> AsyncGenerator[Sequence[EventRow], None]:
    more = True
    while more:
        events = await context.services.database.read(
            partial(events_after, task_id=task_id, seq=seq, wanted=wanted, limit=TOGETHER)
        )
        if events:
            yield events
            seq = events[-1].seq
        more = len(events) == TOGETHER


async def _snapshots(
    context: Context,
    gatherer: CoalescingSubscriber[int],
    wanted: filters.TaskFilter,
    watched: set[int] | None,
) -> AsyncGenerator[TaskRow, None]:
    """The tasks that are to be shown, in rounds, of which each has a task at most once."""
    database, loop = context.services.database, asyncio.get_running_loop()
    matching = partial(matching_ids, wanted=wanted, limit=MAX_REMEMBERED)
    shown = set(await database.read(matching)) if watched is None else set()
    due = set(watched or await gatherer.take())
    while True:
        if ALL_TASKS in due:
            due = set(watched or shown.union(await database.read(matching)))
        begin = loop.time()
        tasks = await database.read(partial(matching_tasks, wanted=wanted, ids=sorted(due)))
        for task, matches in tasks.values():
            if matches or task.id in shown:
                yield task
            if matches:
                shown.add(task.id)
            else:
                shown.discard(task.id)
        gone = due - tasks.keys()
        shown -= gone
        if len(shown) > MAX_REMEMBERED:
            shown = set(sorted(shown)[-MAX_REMEMBERED:])
        if watched is not None:
            watched -= gone
            if not watched:
                return
        # A change in between is not lost: it waits.
        await asyncio.sleep(begin + context.settings.snapshot_interval - loop.time())
        due = set(await gatherer.take())


async def _event_filter(
    context: Context,
    task: TaskRow,
    process: str | None,
    index: int | None,
    classes: list[EventClass] | None,
) -> filters.EventFilter:
    kinds = inputs.event_filter(classes).classes
    if process is None:
        if index is not None:
            raise RequestError(ErrorCode.ARGUMENT_INVALID, "`index` needs `process`.")
        return filters.EventFilter(kinds)
    found = await context.load.process_by_name(task.id, process)
    if found is None:
        raise RequestError(
            ErrorCode.PROCESS_NOT_FOUND, f"Task “{task.name}” has no process “{process}”."
        )
    if index is not None and not found.is_array:
        raise RequestError(
            ErrorCode.INDEX_FORBIDDEN, f"Process “{process}” is solitary: leave `index` out."
        )
    if index is not None and not found.first_index <= index <= found.last_index:
        raise RequestError(
            ErrorCode.INDEX_OUT_OF_RANGE,
            f"Array “{process}” has jobs {found.first_index} to {found.last_index}, not {index}.",
        )
    return filters.EventFilter(kinds, found.number, index)


def _position(cursor: str | None, task: TaskRow) -> int:
    if cursor == BEGINNING:
        return 0
    place = decode_cursor(cursor, "e", (integer,))
    if place is None:
        return task.last_seq
    seq: int = place[0]
    if seq > task.last_seq:
        raise RequestError(
            ErrorCode.CURSOR_INVALID,
            f"The cursor is of a later event than task “{task.name}” has: the task is another one"
            " of the same name. Subscribe without a cursor.",
        )
    return seq


async def _ids(context: Context, names: Sequence[str]) -> Mapping[str, int]:
    limit = context.settings.max_tasks_per_request
    if len(names) > limit:
        raise RequestError(
            ErrorCode.TOO_MANY, f"{len(names)} names; the server takes at most {limit}."
        )
    found = await asyncio.gather(*(context.load.task_by_name(name) for name in names))
    ids = {}
    for name, task in zip(names, found, strict=True):
        if task is None:
            raise _no_task(name)
        ids[name] = task.id
    return ids


def _no_task(name: str) -> RequestError:
    return RequestError(ErrorCode.TASK_NOT_FOUND, f"There is no task “{name}”.")

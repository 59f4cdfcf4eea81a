"""Pages of the events of a task, a process or a job."""

from __future__ import annotations

from typing import Any

from lamia_gql.domain.lifecycle import EventClass
from lamia_gql.domain.pagination import page
from lamia_gql.graph.context import Info
from lamia_gql.graph.types import filter_inputs
from lamia_gql.graph.types.connection import Connection
from lamia_gql.graph.types.event import Event
from lamia_gql.storage.queries.counts import Count
from lamia_gql.storage.queries.events import event_cursors


async def event_connection(
    info: Info,
    owner: tuple[int, ...],
    total: int,
    event_class: list[EventClass] | None,
    **arguments: Any,
) -> Connection[Event]:
    """A page of events.

    Args:
        info: The resolver's info.
        owner: The key of the task, process or job: one, two or three numbers, the task's first.
        total: How many events the owner has.
        event_class: Only events of these classes; None for all.
        arguments: ``first``, ``after``, ``last`` and ``before``, as in Relay.
    """
    load = info.context.load
    wanted = filter_inputs.event_filter(event_class)
    cursors = event_cursors(owner[0])
    part = page(cursors, info.context.settings.page_limit, **arguments)
    return Connection[Event].of(
        await load.events(owner, wanted, part),
        Event.of,
        lambda row: cursors.encode(row.seq),
        lambda: Count(total) if wanted.classes is None else load.count_events(owner, wanted),
    )

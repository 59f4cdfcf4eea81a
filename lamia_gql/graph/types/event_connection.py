"""Pages of the events of a task, a process or a job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lamia_gql.domain.errors import RequestError
from lamia_gql.domain.pagination import Page, Slice, page
from lamia_gql.graph.reads import ListRead, Reads
from lamia_gql.graph.types import filter_inputs
from lamia_gql.graph.types.arguments import After, Before, Classes, First, Last
from lamia_gql.graph.types.connection import page_of
from lamia_gql.graph.types.event import Event
from lamia_gql.storage import models
from lamia_gql.storage.queries.counts import Count
from lamia_gql.storage.queries.events import count_events, event_cursors, read_events
from lamia_gql.storage.row_shape import RowShape


def events_of(description: str, key: Sequence[str], total: str) -> Any:
    """The field ``events`` of a task, a process or a job.

    Args:
        description: its description.
        key: the columns of the row that are its key: one, two or three, the task's id first.
        total: the column with the number of its events.
    """

    def read(
        reads: Reads,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        event_class: Classes = None,
    ) -> ListRead:
        limit = reads.settings.page_limit

        def part(task_id: int) -> Page | RequestError:
            try:
                # A cursor is of one task, and wrong for all others.
                return page(
                    event_cursors(task_id),
                    limit,
                    first=first,
                    after=after,
                    last=last,
                    before=before,
                )
            except RequestError as error:
                return error

        return _read(key, total, part, event_class, (first, after, last, before))

    return page_of(
        description,
        read,
        models.Event,
        lambda row, _owner: Event.of(row),
        needs=(*key, total),
    )


def _read(
    key: Sequence[str],
    total: str,
    part: Callable[[int], Page | RequestError],
    classes: Any,
    arguments: tuple[Any, ...],
) -> ListRead:
    wanted = filter_inputs.event_filter(classes)

    def keys(rows: Sequence[Any]) -> list[tuple[int, ...]]:
        return [tuple(getattr(row, name) for name in key) for row in rows]

    def read(
        reads: Reads, rows: Sequence[Any], shape: RowShape[Any]
    ) -> list[Slice[Any] | Exception]:
        parents = keys(rows)
        parts = {task_id: part(task_id) for task_id in {parent[0] for parent in parents}}
        right = [parent for parent in parents if isinstance(parts[parent[0]], Page)]
        found: dict[tuple[int, ...], Slice[Any]] = {}
        if right:
            # Where there is a cursor, it is right for one task only.
            shared = parts[right[0][0]]
            assert isinstance(shared, Page)
            slices = read_events(reads.connection, right, wanted, shared, reads.budget.hold, shape)
            found = dict(zip(right, slices, strict=True))
        answers: list[Slice[Any] | Exception] = []
        for parent in parents:
            error = parts[parent[0]]
            answers.append(error if isinstance(error, RequestError) else found[parent])
        return answers

    def count(reads: Reads, rows: Sequence[Any]) -> list[Count]:
        if wanted.classes is None:
            return [Count(getattr(row, total)) for row in rows]
        return count_events(reads.connection, keys(rows), wanted)

    return ListRead(
        ("events", len(key), wanted, arguments),
        read,
        lambda event: event_cursors(event.task_id).encode(event.seq),
        ("count_events", len(key), wanted),
        count,
    )

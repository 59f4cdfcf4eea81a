"""Reading the processes of tasks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from sqlalchemy import func, select

from lamia_gql.domain.pagination import Cursors, Page, Slice, cut, int32
from lamia_gql.domain.text_checks import is_storable
from lamia_gql.storage.filters import ProcessFilter
from lamia_gql.storage.key_table import INT, TEXT, key_table
from lamia_gql.storage.models import Process, Task
from lamia_gql.storage.queries.bounds import Bounds, between, parameters
from lamia_gql.storage.queries.counts import Count
from lamia_gql.storage.queries.fetch import fetch_by_place, fetch_one_by_place
from lamia_gql.storage.queries.top_n_per_key import top_n_per_key
from lamia_gql.storage.row_shape import PROCESS, RowShape
from lamia_gql.storage.rows import ProcessRow
from lamia_gql.storage.statement import STATEMENTS_KEPT, Statement
from lamia_gql.storage.transaction import ReadConnection

PROCESS_CURSORS = Cursors(("p",), (int32,))
"""The cursors of processes of a task, by their number."""


def all_processes(
    connection: ReadConnection, ids: Sequence[int], shape: RowShape[ProcessRow] = PROCESS
) -> list[list[ProcessRow]]:
    """All processes of each task, in order; a task has a bounded number of them."""
    keys = [(task_id,) for task_id in ids]
    statement = _all_processes_statement(shape)
    return fetch_by_place(connection, statement, shape, len(keys), keys=keys)


@lru_cache(STATEMENTS_KEPT)
def _all_processes_statement(shape: RowShape[ProcessRow]) -> Statement:
    k = key_table(id=INT)
    return Statement(select(*shape.columns, k.c.place).join(k, Process.task_id == k.c.id))


def read_processes(
    connection: ReadConnection,
    ids: Sequence[int],
    wanted: ProcessFilter,
    page: Page,
    shape: RowShape[ProcessRow] = PROCESS,
) -> list[Slice[ProcessRow]]:
    """A page of the processes of each task, in the order in which they were created."""
    statement = _processes_statement(wanted, Bounds.of(page), shape)
    keys = [(task_id,) for task_id in ids]
    found = fetch_by_place(
        connection,
        statement,
        shape,
        len(ids),
        backward=page.backward,
        keys=keys,
        **parameters(page),
    )
    return [cut(rows, page) for rows in found]


@lru_cache(STATEMENTS_KEPT)
def _processes_statement(
    wanted: ProcessFilter, bounds: Bounds, shape: RowShape[ProcessRow]
) -> Statement:
    return top_n_per_key(
        key_table(id=INT),
        Process,
        shape,
        "number",
        lambda process, k: [process.task_id == k.c.id],
        lambda process, _k: [*between(process.number, bounds), *wanted.where(process)],
        bounds.backward,
    )


def count_processes(
    connection: ReadConnection, ids: Sequence[int], wanted: ProcessFilter
) -> list[Count]:
    """The number of wanted processes of each task, which has a bounded number of them."""
    keys = [(task_id,) for task_id in ids]
    found: dict[int, int] = dict(_process_count_statement(wanted).fetch(connection, keys=keys))
    return [Count(found.get(place, 0)) for place in range(len(ids))]


@lru_cache(STATEMENTS_KEPT)
def _process_count_statement(wanted: ProcessFilter) -> Statement:
    k = key_table(id=INT)
    return Statement(
        select(k.c.place, func.count())
        .join_from(k, Process, Process.task_id == k.c.id)
        .where(*wanted.where(Process))
        .group_by(k.c.place)
    )


def processes_by_name(
    connection: ReadConnection,
    wanted: Sequence[tuple[int, str]],
    shape: RowShape[ProcessRow] = PROCESS,
) -> list[ProcessRow | None]:
    """The process of each task and name; None where there is none."""
    # No process has the name NULL.
    keys = [(task_id, name if is_storable(name) else None) for task_id, name in wanted]
    statement = _process_by_name_statement(shape)
    return fetch_one_by_place(connection, statement, shape, len(keys), keys=keys)


@lru_cache(STATEMENTS_KEPT)
def _process_by_name_statement(shape: RowShape[ProcessRow]) -> Statement:
    k = key_table(task_id=INT, name=TEXT)
    return Statement(
        select(*shape.columns, k.c.place).join(
            k, (Process.task_id == k.c.task_id) & (Process.name == k.c.name)
        )
    )


def processes_by_key(
    connection: ReadConnection,
    wanted: Sequence[tuple[int, int]],
    shape: RowShape[ProcessRow] = PROCESS,
) -> list[ProcessRow | None]:
    """The process of each task and number; None where it, or its task, does not exist."""
    statement = _process_by_key_statement(shape)
    return fetch_one_by_place(connection, statement, shape, len(wanted), keys=wanted)


@lru_cache(STATEMENTS_KEPT)
def _process_by_key_statement(shape: RowShape[ProcessRow]) -> Statement:
    k = key_table(task_id=INT, number=INT)
    return Statement(
        select(*shape.columns, k.c.place)
        .join(k, (Process.task_id == k.c.task_id) & (Process.number == k.c.number))
        .join(Task, Task.id == Process.task_id)
        .where(Task.deleted_at.is_(None))
    )

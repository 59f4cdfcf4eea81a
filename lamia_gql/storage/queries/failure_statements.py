"""The statements that group failures.

On SQLite, a subquery for each key reads its part of ``ix_job_failure`` in order, so that no row is
sorted; what it finds comes back as JSON. PostgreSQL hashes.
"""

# ruff: noqa: S608  (the texts are made of names that stand here, and nothing else)

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    SelectBase,
    Text,
    bindparam,
    column,
    func,
    literal,
    literal_column,
    null,
    select,
    text,
)
from sqlalchemy.types import TypeEngine

from lamia_gql.storage.key_table import INT, TEXT, TIME, KeyList, key_table
from lamia_gql.storage.keyed_rows import KeyedRows, keyed_rows
from lamia_gql.storage.models import Job
from lamia_gql.storage.queries.bounds import SIZE
from lamia_gql.storage.queries.job_states import is_failed
from lamia_gql.storage.statement import Statement

INDICES_PER_PROCESS = 1 << 32
"""More than there are: the process and the index of a job make one number."""
NO_NUMBER, NO_TEXT = -(2**63), "\1"
"""These stand for missing values in comparisons: no column has them."""


class FailureKey(StrEnum):
    """What failures can be grouped by."""

    EXIT = "EXIT"
    MESSAGE = "MESSAGE"
    HOST = "HOST"


Keys = tuple[FailureKey, ...]
CAUSE: dict[str, TypeEngine[Any]] = {
    "exit_code": Integer(),
    "signal": TEXT,
    "message_key": INT,
    "hostname": TEXT,
}
"""What the jobs of a group may have in common: the keys of groups have it after their owner."""
_COLUMNS: dict[FailureKey, dict[str, Any]] = {
    FailureKey.EXIT: {"exit_code": Job.exit_code, "signal": Job.signal},
    FailureKey.MESSAGE: {"message_key": Job.message_key},
    FailureKey.HOST: {"hostname": Job.seen_hostname},
}
OWNER = (INT, INT)
_FAILED = "state IN ('FAILED', 'TERMINATED')"
_JOB = f"process_number * {INDICES_PER_PROCESS} + job_index"


@cache
def groups_statement(by: Keys, by_process: bool, of_cause: bool) -> Statement:
    """For each owner, a task and a process: its largest groups.

    The keys are the owners, or the owners with the cause of the only group that is wanted. A row
    has the owner's position, the columns of ``CAUSE``, the number of jobs, when the first and the
    last of them ended, and the first job as a number.
    """
    columns = columns_grouped_by(by)

    def on_sqlite() -> SelectBase:
        names = {name: column.key for name, column in columns.items()}
        cause = ", ".join(f"{names.get(name, 'NULL')} AS {name}" for name in CAUSE)
        grouped = f"GROUP BY {', '.join(names.values())}" if names else "HAVING jobs > 0"
        fields = {**CAUSE, "jobs": INT, "first_at": TIME, "last_at": TIME, "sample": INT}
        wanted = _of_group_text(by, by_process) if of_cause else _of_owner_text(by_process)
        return _per_key(
            f"SELECT {cause}, count(*) AS jobs, min(closed_at) AS first_at,"
            f" max(closed_at) AS last_at, min({_JOB}) AS sample FROM job"
            f" WHERE {wanted} {grouped} ORDER BY jobs DESC, sample LIMIT :size",
            fields,
            tuple(CAUSE.values()) if of_cause else (),
        )

    def on_postgresql() -> SelectBase:
        k = key_table(task_id=INT, number=INT, **(CAUSE if of_cause else {}))
        rows = _failed_jobs(k, by_process, by if of_cause else ())
        grouped_by = {name: rows.of[column.key] for name, column in columns.items()}
        count: Any = func.count()
        sample: Any = func.min(literal_column(_JOB))
        order = func.row_number().over(partition_by=k.c.place, order_by=(count.desc(), sample))
        grouped = (
            select(
                k.c.place,
                *(grouped_by.get(name, null()).label(name) for name in CAUSE),
                count.label("jobs"),
                func.min(rows.of.closed_at).label("first_at"),
                func.max(rows.of.closed_at).label("last_at"),
                sample.label("sample"),
                order.label("rank"),
            )
            .select_from(rows.source)
            .group_by(k.c.place, *grouped_by.values())
            .subquery()
        )
        shown = [each for each in grouped.c if each.key != "rank"]
        return (
            select(*shown).where(grouped.c.rank <= SIZE).order_by(grouped.c.place, grouped.c.rank)
        )

    return Statement(lambda engine: on_sqlite() if engine == "sqlite" else on_postgresql())


@cache
def hosts_statement(by: Keys, by_process: bool) -> Statement:
    """For each group: its hosts with most jobs. A row has the group's position, host and number."""

    def on_sqlite() -> SelectBase:
        return _per_key(
            "SELECT seen_hostname AS hostname, count(*) AS jobs FROM job"
            f" WHERE {_of_group_text(by, by_process)}"
            " GROUP BY seen_hostname ORDER BY jobs DESC, hostname LIMIT :size",
            {"hostname": TEXT, "jobs": INT},
            tuple(CAUSE.values()),
        )

    def on_postgresql() -> SelectBase:
        k = _groups()
        rows = _failed_jobs(k, by_process, by)
        count = func.count()
        host = rows.of.seen_hostname
        order = func.row_number().over(
            partition_by=k.c.place, order_by=(count.desc(), func.coalesce(host, ""))
        )
        hosts = (
            select(k.c.place, host, count.label("jobs"), order.label("rank"))
            .select_from(rows.source)
            .group_by(k.c.place, host)
            .subquery()
        )
        return (
            select(hosts.c.place, hosts.c.seen_hostname, hosts.c.jobs)
            .where(hosts.c.rank <= SIZE)
            .order_by(hosts.c.place, hosts.c.rank)
        )

    return Statement(lambda engine: on_sqlite() if engine == "sqlite" else on_postgresql())


@cache
def host_numbers_statement(by: Keys, by_process: bool) -> Statement:
    """For each group: its position, and how many hosts it has; jobs without one count as one."""

    def on_sqlite() -> SelectBase:
        hosts = "count(DISTINCT ifnull(seen_hostname, char(1)))"
        return _value_per_key(
            f"SELECT {hosts} FROM job WHERE {_of_group_text(by, by_process)}", "hosts", INT
        )

    def on_postgresql() -> SelectBase:
        k = _groups()
        rows = _failed_jobs(k, by_process, by)
        hosts = func.count(func.coalesce(rows.of.seen_hostname, literal(NO_TEXT)).distinct())
        found = select(k.c.place, hosts).select_from(rows.source)
        return found.group_by(k.c.place).order_by(k.c.place)

    return Statement(lambda engine: on_sqlite() if engine == "sqlite" else on_postgresql())


@cache
def jobs_statement(by: Keys, by_process: bool) -> Statement:
    """For each group: its position, and all of its jobs as numbers, separated by commas."""

    def on_sqlite() -> SelectBase:
        jobs = f"SELECT group_concat({_JOB}) FROM job WHERE {_of_group_text(by, by_process)}"
        return _value_per_key(jobs, "jobs", TEXT)

    def on_postgresql() -> SelectBase:
        k = _groups()
        rows = _failed_jobs(k, by_process, by)
        numbers = func.string_agg(literal_column(f"CAST({_JOB} AS TEXT)"), literal_column("','"))
        found = select(k.c.place, numbers).select_from(rows.source)
        return found.group_by(k.c.place).order_by(k.c.place)

    return Statement(lambda engine: on_sqlite() if engine == "sqlite" else on_postgresql())


def columns_grouped_by(by: Keys) -> dict[str, Any]:
    """The columns of a job that the groups differ in, by their names in ``CAUSE``."""
    return {name: column for key in by for name, column in _COLUMNS[key].items()}


def _per_key(
    rows: str, fields: dict[str, TypeEngine[Any]], more: tuple[TypeEngine[Any], ...] = ()
) -> SelectBase:
    """On SQLite: the position of each key, and the rows of a subquery that refers to it as ``k``.

    Args:
        rows: the subquery.
        fields: the names and types of its columns.
        more: the types of a key behind its owner.
    """
    shown = ", ".join(f"json_extract(row.value, '$[{place}]')" for place, _ in enumerate(fields))
    found = f"SELECT json_group_array(json_array({', '.join(fields)})) FROM ({rows})"
    return (
        text(
            f"SELECT k.key, {shown} FROM json_each(:keys) AS k, json_each(({found})) AS row"
            " ORDER BY k.key, row.key"
        )
        .columns(column("place", INT), *(column(name, kind) for name, kind in fields.items()))
        .bindparams(
            bindparam("keys", required=False, type_=KeyList((*OWNER, *more))),
            bindparam("size", required=False),
        )
    )


def _value_per_key(value: str, name: str, kind: TypeEngine[Any]) -> SelectBase:
    """On SQLite: the position of each key of a group, and what a subquery that refers to it finds.

    Args:
        value: the subquery.
        name: the name of what it finds.
        kind: its type.
    """
    return (
        text(f"SELECT k.key, ({value}) FROM json_each(:keys) AS k ORDER BY k.key")
        .columns(column("place", INT), column(name, kind))
        .bindparams(bindparam("keys", required=False, type_=KeyList((*OWNER, *CAUSE.values()))))
    )


def _of_owner_text(by_process: bool) -> str:
    of_task = f"{_FAILED} AND task_id = json_extract(k.value, '$[0]')"
    return (
        f"{of_task} AND process_number = json_extract(k.value, '$[1]')" if by_process else of_task
    )


def _of_group_text(by: Keys, by_process: bool) -> str:
    places = {name: place for place, name in enumerate(CAUSE, len(OWNER))}
    same = (
        f" AND {column.key} IS json_extract(k.value, '$[{places[name]}]')"
        for name, column in columns_grouped_by(by).items()
    )
    return _of_owner_text(by_process) + "".join(same)


def _groups() -> FromClause:
    return key_table(task_id=INT, number=INT, **CAUSE)


def _failed_jobs(k: FromClause, by_process: bool, same: Keys) -> KeyedRows:
    """On PostgreSQL: the failed jobs of each owner, or of each group of those that have the same.

    Args:
        k: the owners, or groups.
        by_process: whether owners are processes.
        same: what the jobs have in common with their group.
    """

    def belongs(job: Any, k: FromClause) -> list[ColumnElement[bool]]:
        found = [job.task_id == k.c.task_id, is_failed(job)]
        if by_process:
            found.append(job.process_number == k.c.number)
        for name, shown in columns_grouped_by(same).items():
            found.append(_is_same(getattr(job, shown.key), k.c[name]))
        return found

    return keyed_rows("postgresql", k, Job, belongs)


def _is_same(one: Any, other: Any) -> ColumnElement[bool]:
    # For IS NOT DISTINCT FROM, PostgreSQL uses neither an index nor a hash.
    missing = literal(NO_TEXT if isinstance(one.type, Text) else NO_NUMBER)
    same: ColumnElement[bool] = func.coalesce(one, missing) == func.coalesce(other, missing)
    return same

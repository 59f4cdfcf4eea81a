"""Sums of progress become exact: they were in billionths, and a progress of 1 is now 2**112."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from alembic import op

revision: str = "2026_11_24_exact_sums"
down_revision: str | None = "2026_11_23_main_tables"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BILLION = 10**9
EXACT = 2**112
CHUNK_ROWS = 500
"""Processes, or samples, that are converted together; memory does not grow with the tables."""
FETCH_ROWS = 5_000
"""Jobs that are fetched at once."""

process = sa.table(
    "process",
    sa.column("task_id", sa.BigInteger()),
    sa.column("number", sa.Integer()),
    sa.column("name", sa.String()),
    sa.column("threshold", sa.Double()),
    sa.column("done", sa.Integer()),
    sa.column("progress_sum", sa.String()),
)
job = sa.table(
    "job",
    sa.column("task_id", sa.BigInteger()),
    sa.column("process_number", sa.Integer()),
    sa.column("state", sa.String()),
    sa.column("progress", sa.Double()),
)
sample = sa.table(
    "sample",
    sa.column("task_id", sa.BigInteger()),
    sa.column("process_number", sa.Integer()),
    sa.column("at", sa.BigInteger()),
    sa.column("progress_sum", sa.String()),
)


def upgrade() -> None:
    """Go forward."""
    sum_jobs_anew(_to_exact, 100 * EXACT)
    convert_samples(BILLION, EXACT)


def downgrade() -> None:
    """Go back."""
    sum_jobs_anew(_to_billionths, 100 * BILLION)
    convert_samples(EXACT, BILLION)


def _to_exact(value: float) -> int:
    numerator, denominator = value.as_integer_ratio()
    return numerator * EXACT // denominator


def _to_billionths(value: float) -> int:
    return round(value * BILLION)


def sum_jobs_anew(to_units: Callable[[float], int], percent: int) -> None:
    """Replace the sum of each process by that of its jobs.

    Args:
        to_units: From the progress of a job to an integer in the sum.
        percent: 100 %, as an integer in the sum.
    """
    connection = op.get_bind()
    key = [process.c.task_id, process.c.number]
    columns = [*key, process.c.name, process.c.progress_sum, process.c.threshold, process.c.done]
    change = (
        process.update()
        .where(
            process.c.task_id == sa.bindparam("key_task"),
            process.c.number == sa.bindparam("key_number"),
            process.c.name == sa.bindparam("key_name"),
        )
        .values(progress_sum=sa.bindparam("new_sum"))
    )
    for rows in _chunks(connection, sa.select(*columns), key):
        # Without a threshold, a DONE job counts 100 % whatever it reported.
        sums = {
            (task_id, number): 0 if threshold is not None else done * percent
            for task_id, number, _, _, threshold, done in rows
        }
        place = sa.tuple_(job.c.task_id, job.c.process_number)
        jobs: Any = connection.execute(
            sa.select(*key, process.c.threshold, job.c.progress)
            .select_from(process)
            .join(
                job,
                (job.c.task_id == process.c.task_id) & (job.c.process_number == process.c.number),
            )
            .where(
                place >= sa.tuple_(*rows[0][:2], types=[sa.BigInteger(), sa.Integer()]),
                place <= sa.tuple_(*rows[-1][:2], types=[sa.BigInteger(), sa.Integer()]),
                job.c.progress.is_not(None),
                process.c.threshold.is_not(None) | (job.c.state != "DONE"),
            )
            .execution_options(yield_per=FETCH_ROWS)
        )
        for task_id, number, threshold, value in jobs:
            units = to_units(value)
            sums[task_id, number] += units if threshold is not None else min(units, percent)
        changed = [
            {
                "key_task": task_id,
                "key_number": number,
                "key_name": name,
                "new_sum": str(sums[task_id, number]),
            }
            for task_id, number, name, old, _, _ in rows
            if old != str(sums[task_id, number])
        ]
        if changed:
            connection.execute(change, changed)


def convert_samples(old_unit: int, new_unit: int) -> None:
    """Convert the sums in the history of processes, from one unit to another, rounded."""
    connection = op.get_bind()
    key = [sample.c.task_id, sample.c.process_number, sample.c.at]
    change = (
        sample.update()
        .where(
            sample.c.task_id == sa.bindparam("key_task"),
            sample.c.process_number == sa.bindparam("key_number"),
            sample.c.at == sa.bindparam("key_at"),
        )
        .values(progress_sum=sa.bindparam("new_sum"))
    )
    selected = sa.select(*key, sample.c.progress_sum).where(sample.c.progress_sum != "0")
    for rows in _chunks(connection, selected, key):
        connection.execute(
            change,
            [
                {
                    "key_task": task_id,
                    "key_number": number,
                    "key_at": at,
                    "new_sum": str((int(old) * new_unit + old_unit // 2) // old_unit),
                }
                for task_id, number, at, old in rows
            ],
        )


def _chunks(
    connection: sa.Connection, selected: sa.Select[Any], key: Sequence[sa.ColumnElement[Any]]
) -> Iterator[Sequence[Any]]:
    """The selected rows, in the order of their key, which are their first columns."""
    page = selected.order_by(*key).limit(CHUNK_ROWS)
    types = [column.type for column in key]
    rows: Sequence[Any] = connection.execute(page).all()
    while rows:
        yield rows
        last = sa.tuple_(*rows[-1][: len(key)], types=types)
        rows = connection.execute(page.where(sa.tuple_(*key) > last)).all()

"""Processes count how long their jobs took and what they used."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from alembic import op

revision: str = "2026_11_28_usage"
down_revision: str | None = "2026_11_28_job_details"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

GROWTH = 1.02 / 0.98
MAX_AMOUNT = 2**43
FETCH_ROWS = 5_000
MEASURES = "'DURATION', 'MEMORY', 'REQUESTED_MEMORY', 'CPU', 'ALLOCATED_CPU'"
TIME = sa.DateTime(timezone=True)
job = sa.table(
    "job",
    sa.column("task_id", sa.BigInteger()),
    sa.column("process_number", sa.Integer()),
    sa.column("state", sa.String()),
    sa.column("started_at", TIME),
    sa.column("closed_at", TIME),
)


def upgrade() -> None:
    """Go forward, with the durations of the jobs that there are. Nothing else is known of them."""
    usage = op.create_table(
        "usage",
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("process_number", sa.Integer(), nullable=False),
        sa.Column("measure", sa.String(length=16), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.Column("jobs", sa.Integer(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(f"measure IN ({MEASURES})", name=op.f("ck_usage_measure")),
        sa.ForeignKeyConstraint(
            ["task_id", "process_number"],
            ["process.task_id", "process.number"],
            name=op.f("fk_usage_process"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "task_id", "process_number", "measure", "bucket", name=op.f("pk_usage")
        ),
        sqlite_with_rowid=False,
    )
    count_durations(usage)


def count_durations(usage: sa.Table) -> None:
    """Count the durations of DONE jobs, process by process."""
    connection = op.get_bind()
    place = job.c.task_id, job.c.process_number
    rows: Any = connection.execute(
        sa.select(*place, job.c.started_at, job.c.closed_at)
        .where(job.c.state == "DONE", job.c.started_at.is_not(None))
        .order_by(*place)
        .execution_options(yield_per=FETCH_ROWS)
    )
    current: tuple[int, int] | None = None
    jobs: Counter[int] = Counter()
    totals: Counter[int] = Counter()
    for task_id, number, started_at, closed_at in rows:
        if (task_id, number) != current:
            write(usage, current, jobs, totals)
            current = (task_id, number)
        seconds = (closed_at - started_at).total_seconds()
        amount = round(min(max(1000 * seconds, 0), MAX_AMOUNT))
        bucket = 0 if amount <= 1 else math.ceil(math.log(amount) / math.log(GROWTH))
        jobs[bucket] += 1
        totals[bucket] += amount
    write(usage, current, jobs, totals)


def write(
    usage: sa.Table, process: tuple[int, int] | None, jobs: Counter[int], totals: Counter[int]
) -> None:
    """Insert the buckets of a process, and forget them."""
    if process is not None:
        task_id, number = process
        op.bulk_insert(
            usage,
            [
                {
                    "task_id": task_id,
                    "process_number": number,
                    "measure": "DURATION",
                    "bucket": bucket,
                    "jobs": jobs[bucket],
                    "total": totals[bucket],
                }
                for bucket in jobs
            ],
        )
    jobs.clear()
    totals.clear()


def downgrade() -> None:
    """Go back."""
    op.drop_table("usage")

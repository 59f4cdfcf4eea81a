"""Conditions on the state of jobs, written as in the partial indices of jobs.

With a parameter in place of the state, neither engine would use these indices.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, literal_column


def is_running(job: Any) -> ColumnElement[bool]:
    """The condition that a job is RUNNING; ``job`` is the table, or an alias of it."""
    found: ColumnElement[bool] = job.state == literal_column("'RUNNING'")
    return found


def is_failed(job: Any) -> ColumnElement[bool]:
    """The condition that a job has ended without success; likewise."""
    found: ColumnElement[bool] = job.state.in_(
        [literal_column("'FAILED'"), literal_column("'TERMINATED'")]
    )
    return found

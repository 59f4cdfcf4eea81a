"""The condition that a job is RUNNING."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, literal_column


def is_running(job: Any) -> ColumnElement[bool]:
    """The condition that a job is RUNNING, written as in the partial index ``ix_job_alive_at``.

    With a parameter in place of the state, neither engine would use that index.
    """
    found: ColumnElement[bool] = job.state == literal_column("'RUNNING'")
    return found

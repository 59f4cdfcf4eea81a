"""The columns ``details``: of an event, what it tells; of a job, the details and submissions.

Most jobs have a row that is read and written with each of their events, so its JSON is compact:
times are microseconds since 1970.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from lamia_gql.domain.job_details import (
    USAGE,
    Detail,
    Details,
    Submission,
    Submissions,
    Values,
)
from lamia_gql.domain.lifecycle import FAILURES, JobState, Summary
from lamia_gql.domain.message_form import message_key

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def encode_values(values: Values) -> str:
    """The JSON of what an event tells."""
    return orjson.dumps(values, option=orjson.OPT_SORT_KEYS).decode()


def decode_values(text: str | None) -> dict[str, Any] | None:
    """What an event tells; None if nothing."""
    found: dict[str, Any] | None = None if text is None else orjson.loads(text)
    return found


def encode_details(details: Details, submissions: Submissions) -> str | None:
    """The JSON of what is known of a job; None if nothing."""
    if not details and not submissions:
        return None
    known = [
        (attempt, (time - _EPOCH) // _MICROSECOND, id_, values)
        for attempt, time, id_, values in details
    ]
    return orjson.dumps((known, [*map(tuple, submissions)]), option=orjson.OPT_SORT_KEYS).decode()


def decode_details(text: str | None) -> tuple[Details, Submissions]:
    """What is known of a job; the inverse of :func:`encode_details`."""
    if text is None:
        return (), ()
    known, submissions = orjson.loads(text)
    return (
        tuple(
            Detail(attempt, _EPOCH + timedelta(microseconds=time), id_, values)
            for attempt, time, id_, values in known
        ),
        tuple(Submission(*each) for each in submissions),
    )


NO_DETAILS = (None,) * 7
"""The columns of a job without details."""


def detail_columns(summary: Summary, state: JobState) -> tuple[Any, ...]:
    """The columns of a job from ``details`` on: what is known, and what of it holds now."""
    shown = summary.shown_details
    message = shown.get("message")
    usage = {name: shown[name] for name in USAGE if name in shown}
    return (
        encode_details(summary.details, summary.submissions),
        shown.get("exit_code"),
        shown.get("signal"),
        message,
        message_key(message) if message is not None and state in FAILURES else None,
        shown.get("batch_id"),
        encode_values(usage) if usage else None,
    )

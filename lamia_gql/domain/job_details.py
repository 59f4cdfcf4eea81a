"""What events tell about their job beside its state: why it ended, its batch id, what it used.

Like the other facts of a job (see :mod:`lamia_gql.domain.lifecycle`), each detail is the latest one
by ``(attempt, time, id)``, so it does not depend on the order of the events.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

CAUSE = ("exit_code", "signal", "message")
"""The details that tell why a job ended, or is held: they are forgotten when it is opened again."""
MEASURED = (
    "cpu_seconds",
    "wall_seconds",
    "max_rss_bytes",
    "read_bytes",
    "write_bytes",
)
"""What a run has used: forgotten when the next one starts."""
ALLOCATED = ("cpus", "requested_memory_bytes")
"""What the batch system was asked for."""
USAGE: tuple[str, ...] = (*MEASURED, *ALLOCATED)
"""The parts of ``usage``."""
BATCH_ID: Final = "batch_id"
BASE: Final = "base"
"""In an event: the attempts of the earlier submissions, which are counted in its own."""
CLOCK_OFFSET: Final = "clock_offset"
"""In an event: the seconds that were added to its time, as the clock of its host is wrong."""
MAX_SUBMISSIONS: Final = 8
"""How many submissions of a job are known."""
MAX_ATTEMPT: Final = 2**31 - 1
Values = Mapping[str, Any]


class Detail(NamedTuple):
    """The details of one event that no later event has told anew."""

    attempt: int
    time: datetime
    id: str
    values: Values


Details = tuple[Detail, ...]
"""In their order; no two have a value in common."""


class Submission(NamedTuple):
    """A submission of a job to a batch system, which counts its restarts from 0."""

    base: int
    """What is added to its restarts, so that a later submission has later attempts."""
    batch_id: str


Submissions = tuple[Submission, ...]


def join(known: Details, attempt: int, time: datetime, id: str, values: Values) -> Details:  # noqa: A002
    """The details with those of one more event."""
    if not values:
        return known
    new = Detail(attempt, time, id, values)
    if not known:
        return (new,)
    later: set[str] = set()
    found = []
    for detail in known:
        if detail[:3] > new[:3]:
            later.update(detail.values)
            found.append(detail)
            continue
        kept = {name: value for name, value in detail.values.items() if name not in values}
        if kept:
            found.append(detail._replace(values=kept))
    own = {name: value for name, value in values.items() if name not in later}
    if own:
        found.append(Detail(attempt, time, id, own))
        found.sort()
    return tuple(found)


def known_values(told: Values) -> Values:
    """What is kept of what an event tells: a base only together with its batch id."""
    return {name: value for name, value in told.items() if name not in (BASE, CLOCK_OFFSET)} | (
        {BASE: told.get(BASE, 0)} if BATCH_ID in told else {}
    )


def submission_of(told: Values) -> Submission | None:
    """The submission that an event names; None if it has no batch id."""
    batch_id = told.get(BATCH_ID)
    return None if batch_id is None else Submission(told.get(BASE, 0), batch_id)


def join_submission(known: Submissions, submission: Submission) -> Submissions:
    """The submissions with one that an event names; of too many, the latest."""
    if submission in known:
        return known
    return tuple(sorted({*known, submission})[-MAX_SUBMISSIONS:])

"""From the events of a job to its state.

Jobs retry, networks reorder and spools replay, so a job's :class:`Summary` is a pure function of
the *set* of its events: every order, duplication and batching of the same events gives the same
summary. It joins a few facts, each of which is a maximum by ``(attempt, time, id)``.

Details (see :mod:`lamia_gql.domain.job_details`) are such facts, too.

"Older" compares ``(attempt, time)`` only. The id breaks ties between facts that carry a value, so
that two servers agree. It does not decide whether an end at the same time as the start counts.

This module does no I/O and imports only the standard library.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from lamia_gql.domain.job_details import (
    BATCH_ID,
    CAUSE,
    MAX_ATTEMPT,
    MEASURED,
    Details,
    Submissions,
    Values,
    join,
    join_submission,
    known_values,
    submission_of,
)

MAX_CLOCK_SKEW = timedelta(minutes=5)
"""How far a job's clock may be ahead of the server before its times are ignored."""


class EventClass(StrEnum):
    """The kind of an event."""

    SUBMITTED = "SUBMITTED"
    STARTED = "STARTED"
    READY = "READY"
    BEAT = "BEAT"
    PROGRESS = "PROGRESS"
    DONE = "DONE"
    FAILED = "FAILED"
    TERMINATED = "TERMINATED"
    HELD = "HELD"


class JobState(StrEnum):
    """The lifecycle state of a job."""

    PENDING = "PENDING"
    SUBMITTED = "SUBMITTED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
    TERMINATED = "TERMINATED"
    HELD = "HELD"


OPENING = frozenset({EventClass.SUBMITTED, EventClass.STARTED})
CLOSING = frozenset({EventClass.DONE, EventClass.FAILED, EventClass.TERMINATED})
LIVING = frozenset({EventClass.STARTED, EventClass.READY, EventClass.BEAT, EventClass.PROGRESS})
END_STATES = {
    EventClass.DONE: JobState.DONE,
    EventClass.FAILED: JobState.FAILED,
    EventClass.TERMINATED: JobState.TERMINATED,
}
ENDED = frozenset(END_STATES.values())
FAILURES = frozenset({JobState.FAILED, JobState.TERMINATED})
"""The ends without success."""


class Moment(NamedTuple):
    """The time of a fact. A later attempt is later, whatever its clock says."""

    attempt: int
    time: datetime


class End(NamedTuple):
    """The end of a job: its time, event and class."""

    attempt: int
    time: datetime
    id: str
    event_class: EventClass


class Reading(NamedTuple):
    """A progress value that a job reported, on an event of any class."""

    attempt: int
    time: datetime
    id: str
    value: float


class LastSeen(NamedTuple):
    """An event of a job, of any class."""

    attempt: int
    time: datetime
    id: str
    event_class: EventClass
    hostname: str | None


class Occurrence(NamedTuple):
    """The parts of an event that count in a summary; ``id`` is a lower-case UUID."""

    id: str
    event_class: EventClass
    time: datetime
    attempt: int = 0
    progress: float | None = None
    hostname: str | None = None
    details: Values | None = None
    """What it tells beside that: see :mod:`lamia_gql.domain.job_details`."""


class Summary(NamedTuple):
    """The facts about a job that follow from its events. Without events it is empty."""

    events: int = 0
    starts: int = 0
    reported: bool = False
    """Whether the job has ever had a reading that is not zero."""
    opened: Moment | None = None
    started: Moment | None = None
    closed: End | None = None
    reading: Reading | None = None
    alive: Moment | None = None
    seen: LastSeen | None = None
    held: Moment | None = None
    """The latest HELD."""
    details: Details = ()
    submissions: Submissions = ()
    """The submissions that events with a batch id belong to, in order."""

    @property
    def state(self) -> JobState:
        """The job's state, by the rules in ``docs/concepts.md``."""
        if self.seen is None:
            return JobState.PENDING
        opened, closed, alive, held = self.opened, self.closed, self.alive, self.held
        if (
            closed is not None
            and (opened is None or closed[:2] >= opened)
            and (held is None or closed[:2] >= held)
        ):
            return END_STATES[closed.event_class]
        if held is not None and (opened is None or held >= opened):
            return JobState.HELD
        if opened is not None and (alive is None or alive < opened):
            return JobState.SUBMITTED
        return JobState.RUNNING

    @property
    def progress(self) -> float | None:
        """The latest value reported since the latest start; None where there is none."""
        reading, started = self.reading, self.started
        if reading is None or (started is not None and reading[:2] < started):
            return None
        return reading.value

    @property
    def started_at(self) -> datetime | None:
        """When the latest attempt started."""
        return self.started.time if self.started else None

    @property
    def finished_at(self) -> datetime | None:
        """When the job ended; None while it has not, or when it runs again."""
        return self.closed.time if self.closed and self.state in ENDED else None

    @property
    def shown_details(self) -> dict[str, Any]:
        """The details that hold now.

        Those of an earlier attempt do not: why it ended, and what it used. Nor does the cause of
        what was before the job was opened, or before it was DONE, or what it used before it
        started.
        """
        since = self.opened
        if self.closed is not None and self.state is JobState.DONE:
            since = Moment(*self.closed[:2])
        shown: dict[str, Any] = {}
        assert self.seen is not None or not self.details
        for detail in self.details:
            values = dict(detail.values)
            is_earlier = self.seen is not None and detail.attempt < self.seen.attempt
            if is_earlier or (since is not None and detail[:2] < since):
                for name in CAUSE:
                    values.pop(name, None)
            if is_earlier or (self.started is not None and detail[:2] < self.started):
                for name in MEASURED:
                    values.pop(name, None)
            shown.update(values)
        return shown

    def base(self, batch_id: str | None, time: datetime) -> int:
        """What to add to the restarts that an event reports to get its attempt.

        A batch system counts the restarts of each submission from 0. A later submission of the same
        job continues counting where the earlier one has ended, so that its events are later. An
        event without a batch id belongs to the latest submission.

        Args:
            batch_id: the batch id in the event.
            time: the time that the event counts with.
        """
        if not self.submissions:
            return 0
        latest = self.submissions[-1]
        if batch_id is None:
            return latest.base
        for submission in self.submissions:
            if submission.batch_id == batch_id:
                return submission.base
        assert self.seen is not None
        if self.opened is not None and time < self.opened.time:
            # An earlier submission, of which nothing has arrived until now.
            return max(latest.base - 1, 0)
        return min(self.seen.attempt + 1, MAX_ATTEMPT)


EMPTY = Summary()


def event_time(sent_at: datetime | None, received_at: datetime) -> datetime:
    """The time that an event counts with: the client's, unless it is missing or too far ahead.

    A clock that is more than :data:`MAX_CLOCK_SKEW` ahead would freeze the job's state in the
    future, so the server's own time replaces it.
    """
    if sent_at is None or sent_at > received_at + MAX_CLOCK_SKEW:
        return received_at
    return sent_at


def add(summary: Summary, event: Occurrence) -> Summary:
    """The summary with one more event, which must not be in it already."""
    kind, attempt, time = event.event_class, event.attempt, event.time
    moment = Moment(attempt, time)
    opened, started, closed = summary.opened, summary.started, summary.closed
    reading, alive = summary.reading, summary.alive
    if kind in OPENING:
        opened = moment if opened is None else max(opened, moment)
    if kind is EventClass.STARTED:
        started = moment if started is None else max(started, moment)
    if kind in LIVING:
        alive = moment if alive is None else max(alive, moment)
    if kind in CLOSING:
        end = End(attempt, time, event.id, kind)
        closed = end if closed is None else max(closed, end)
    if event.progress is not None:
        value = Reading(attempt, time, event.id, event.progress)
        reading = value if reading is None else max(reading, value)
    last_seen = LastSeen(attempt, time, event.id, kind, event.hostname)
    # Ids are unique, so a comparison never reaches the fields after them.
    seen = last_seen if summary.seen is None else max(summary.seen, last_seen)
    held, details, submissions = summary.held, summary.details, summary.submissions
    if kind is EventClass.HELD:
        held = moment if held is None else max(held, moment)
    if event.details is not None:
        submission = submission_of(event.details)
        if submission is not None:
            submissions = join_submission(submissions, submission)
        details = join(details, attempt, time, event.id, known_values(event.details))
    return Summary(
        summary.events + 1,
        summary.starts + (kind is EventClass.STARTED),
        summary.reported or bool(event.progress),
        opened,
        started,
        closed,
        reading,
        alive,
        seen,
        held,
        details,
        submissions,
    )


def is_needed(summary: Summary, event: Occurrence) -> bool:
    """Whether a fact of a summary may depend on one of its events.

    Without a BEAT that is not needed, the summary is the same but for the number of events.
    """
    return (
        event.event_class is not EventClass.BEAT
        or event.progress is not None
        or (event.details is not None and _is_source(summary, event, event.details))
        or summary.alive == (event.attempt, event.time)
        or (summary.seen is not None and summary.seen.id == event.id)
    )


def _is_source(summary: Summary, event: Occurrence, values: Values) -> bool:
    """Whether a detail of the job, or what is known of an earlier submission, is from an event."""
    submission = submission_of(values)
    return any(
        detail.id == event.id
        # Another event of the same submission remains.
        or (BATCH_ID in detail.values and submission not in (None, submission_of(detail.values)))
        for detail in summary.details
    )


def summarise(events: Iterable[Occurrence]) -> Summary:
    """The summary of a set of events, given in any order and with any repetition."""
    summary = EMPTY
    known: set[str] = set()
    for event in events:
        if event.id not in known:
            known.add(event.id)
            summary = add(summary, event)
    return summary

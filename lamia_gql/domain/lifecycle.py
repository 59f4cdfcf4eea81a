"""From the events of a job to its state.

Jobs retry, networks reorder and spools replay, so a job's :class:`Summary` is a pure function of
the *set* of its events: every order, duplication and batching of the same events gives the same
summary. It joins a few facts, each of which is a maximum by ``(attempt, time, id)``.

"Older" compares ``(attempt, time)`` only. The id breaks ties between facts that carry a value, so
that two servers agree. It does not decide whether an end at the same time as the start counts.

This module does no I/O and imports only the standard library.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

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


class JobState(StrEnum):
    """The lifecycle state of a job."""

    PENDING = "PENDING"
    SUBMITTED = "SUBMITTED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
    TERMINATED = "TERMINATED"


OPENING = frozenset({EventClass.SUBMITTED, EventClass.STARTED})
CLOSING = frozenset({EventClass.DONE, EventClass.FAILED, EventClass.TERMINATED})
LIVING = frozenset({EventClass.STARTED, EventClass.READY, EventClass.BEAT, EventClass.PROGRESS})
END_STATES = {
    EventClass.DONE: JobState.DONE,
    EventClass.FAILED: JobState.FAILED,
    EventClass.TERMINATED: JobState.TERMINATED,
}
ENDED = frozenset(END_STATES.values())


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

    @property
    def state(self) -> JobState:
        """The job's state, by the rules at the top of ``docs/concepts.md``."""
        if self.seen is None:
            return JobState.PENDING
        opened, closed, alive = self.opened, self.closed, self.alive
        if closed is not None and (opened is None or closed[:2] >= opened):
            return END_STATES[closed.event_class]
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
    )


def is_needed(summary: Summary, event: Occurrence) -> bool:
    """Whether a fact of a summary may depend on one of its events.

    Without a BEAT that is not needed, the summary is the same but for the number of events.
    """
    return (
        event.event_class is not EventClass.BEAT
        or event.progress is not None
        or summary.alive == (event.attempt, event.time)
        or (summary.seen is not None and summary.seen.id == event.id)
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

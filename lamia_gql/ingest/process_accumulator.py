"""A process while a transaction adds events to it."""

from __future__ import annotations

from datetime import datetime

from lamia_gql.domain.lifecycle import CLOSING, EventClass, Summary
from lamia_gql.domain.progress import process_state
from lamia_gql.storage.rows import CLASS_BITS, EventRow, ProcessRow


class ProcessAccumulator:
    """Collects the changes of a process, so that they are written once."""

    __slots__ = ("_counters", "changed", "process")

    def __init__(self, process: ProcessRow) -> None:
        self.process = process
        self._counters = process.counters()
        self.changed = False
        """Whether any event was added."""

    def add(self, event: EventRow, old: Summary, new: Summary, time: datetime) -> None:
        """Count an event that changed the summary of its job from ``old`` to ``new``.

        ``time`` is the time that the event counts with.
        """
        self._counters.change(old, new, self.process.threshold)
        process, event_class = self.process, EventClass(event.event_class)
        latest = process.last_event_at is None or (time, event.id) > (
            process.last_event_at,
            process.last_event_id,
        )
        self.process = process._replace(
            events=process.events + 1,
            event_classes=process.event_classes | CLASS_BITS[event_class],
            started_at=_earlier(process.started_at, time)
            if event_class is EventClass.STARTED
            else process.started_at,
            last_ended_at=_later(process.last_ended_at, time)
            if event_class in CLOSING
            else process.last_ended_at,
            last_event_at=time if latest else process.last_event_at,
            last_event_id=event.id if latest else process.last_event_id,
            last_event_class=event.event_class if latest else process.last_event_class,
        )
        self.changed = True

    def finish(self) -> ProcessRow:
        """The process with its new counters and state."""
        counters = self._counters
        return self.process._replace(
            submitted=counters.submitted,
            running=counters.running,
            done=counters.done,
            failed=counters.failed,
            terminated=counters.terminated,
            reporting=counters.reporting,
            progress_sum=counters.progress_sum,
            state=process_state(self.process.progress_inputs(counters)),
        )


def _earlier(known: datetime | None, time: datetime) -> datetime:
    return time if known is None else min(known, time)


def _later(known: datetime | None, time: datetime) -> datetime:
    return time if known is None else max(known, time)

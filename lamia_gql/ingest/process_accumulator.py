"""A process while a transaction adds events to it."""

from __future__ import annotations

from datetime import datetime

from lamia_gql.domain.lifecycle import CLOSING, EventClass, Summary
from lamia_gql.domain.progress import process_state
from lamia_gql.domain.usage_sketch import UsageChanges
from lamia_gql.storage.rows import CLASS_BITS, ProcessRow


class ProcessAccumulator:
    """Collects the changes of a process, so that its row is made and written once."""

    __slots__ = (
        "_classes",
        "_counters",
        "_events",
        "_last_ended_at",
        "_latest",
        "_process",
        "_started_at",
        "_usage",
    )

    def __init__(self, process: ProcessRow) -> None:
        self._process = process
        self._counters = process.counters()
        self._usage = UsageChanges()
        self._events = process.events
        self._classes = process.event_classes
        self._started_at = process.started_at
        self._last_ended_at = process.last_ended_at
        self._latest = (process.last_event_at, process.last_event_id, process.last_event_class)

    @property
    def is_changed(self) -> bool:
        """Whether any event was added."""
        return self._events > self._process.events

    def add_event(self, event_class: EventClass, time: datetime, event_id: str) -> None:
        """Count an event; ``time`` is the time that it counts with."""
        self._events += 1
        self._classes |= CLASS_BITS[event_class]
        started_at, last_ended_at = self._started_at, self._last_ended_at
        if event_class is EventClass.STARTED and (started_at is None or time < started_at):
            self._started_at = time
        if event_class in CLOSING and (last_ended_at is None or time > last_ended_at):
            self._last_ended_at = time
        last_at, last_id, _ = self._latest
        if last_at is None or last_id is None or (time, event_id) > (last_at, last_id):
            self._latest = (time, event_id, event_class)

    def change_job(self, old: Summary, new: Summary) -> None:
        """Count a job anew whose summary was ``old`` and is ``new``."""
        self._counters.change(old, new, self._process.threshold)
        if new.closed is not None:
            self._usage.change(old, new)

    def usage_rows(self) -> list[tuple[int, int, str, int, int, int]]:
        """The rows of ``ADD_USAGE``."""
        return [
            (self._process.task_id, self._process.number, measure, bucket, jobs, total)
            for (measure, bucket), (jobs, total) in self._usage.buckets.items()
        ]

    def finish(self) -> ProcessRow:
        """The process with its new counters and state."""
        if not self.is_changed:
            return self._process
        counters = self._counters
        last_event_at, last_event_id, last_event_class = self._latest
        return self._process._replace(
            submitted=counters.submitted,
            running=counters.running,
            done=counters.done,
            failed=counters.failed,
            terminated=counters.terminated,
            reporting=counters.reporting,
            progress_sum=counters.progress_sum,
            held=counters.held,
            state=process_state(self._process, counters),
            events=self._events,
            event_classes=self._classes,
            started_at=self._started_at,
            last_ended_at=self._last_ended_at,
            last_event_at=last_event_at,
            last_event_id=last_event_id,
            last_event_class=last_event_class,
        )

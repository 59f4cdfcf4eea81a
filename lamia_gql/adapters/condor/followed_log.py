"""One job event log that is followed: from its records to events."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lamia_gql.adapters.condor.job_history import JobHistory
from lamia_gql.adapters.condor.job_target import JobTarget
from lamia_gql.adapters.condor.log_file import Record
from lamia_gql.adapters.condor.log_reader import LogReader
from lamia_gql.adapters.condor.record_fields import RecordType
from lamia_gql.client.event import Event

ATTRIBUTES_WAIT_S = 2.0
"""For how long after a log was written to a record may still be without its attributes."""
MAX_AHEAD = 100
"""How many records are looked through for the attributes of one."""
MAX_CLUSTERS = 1000
"""Of how many clusters it is remembered whether their records have attributes."""


class FollowedLog:
    """Reads a log, and knows what has happened to its jobs.

    HTCondor can write attributes of a job into the log. They are in a record of their own, behind
    each record of the job; records of other jobs may come in between.

    Args:
        path: the log.
        target: which jobs its jobs are.
    """

    def __init__(self, path: Path, target: JobTarget) -> None:
        self._reader = LogReader(path)
        self._target = target
        self._history = JobHistory(target, None)
        self._ahead: deque[Record] = deque()
        """What was read, and is not an event yet."""
        self._has_attributes: dict[int, bool] = {}
        """By cluster."""
        self._last: Record | None = None
        self._place: Any = None

    def open(self, place: Any) -> None:
        """Go to a place; None is the beginning. Raises ``OSError``."""
        self._reader.open(place)
        self._history = JobHistory(self._target, place["history"] if place is not None else None)
        self._ahead.clear()
        self._last, self._place = None, place

    def place(self) -> Any:
        """Return where to go on, as JSON."""
        if self._last is not None:
            history = self._history.to_json()
            self._place = {"offset": self._last.end, "mark": self._last.mark, "history": history}
            self._last = None
        return self._place

    def read(self, events: list[Event], limit: int) -> bool:
        """Read until there are enough events; returns whether nothing more is to be expected soon.

        Args:
            events: gets the events.
            limit: how many events are enough.
        """
        while len(events) < limit:
            if not self._ahead and not self._read_ahead():
                return True
            record = self._ahead[0]
            attributes = self._find_attributes(record)
            if attributes is None:
                return False
            self._ahead.popleft()
            if record.cluster >= 0 and record.proc >= 0 and record.kind != RecordType.JOB_AD:
                events += self._history.add(record, attributes)
            self._last = record
        return False

    def take_problems(self) -> list[str]:
        """Return what was skipped since the last call, one sentence each."""
        return self._reader.take_problems()

    def close(self) -> None:
        """Close the log."""
        self._reader.close()

    def _read_ahead(self) -> bool:
        record = self._reader.read()
        if record is None:
            return False
        self._ahead.append(record)
        if record.kind == RecordType.JOB_AD:
            self._note_attributes(record.cluster, True)
        return True

    def _find_attributes(self, record: Record) -> Mapping[str, Any] | None:
        """Return the attributes of a record; None if they may still be written."""
        if record.kind == RecordType.JOB_AD or self._has_attributes.get(record.cluster) is False:
            return {}
        place = 1
        while place < MAX_AHEAD:
            if place == len(self._ahead) and not self._read_ahead():
                is_new = 0 <= time.time() - record.changed_at < ATTRIBUTES_WAIT_S
                return None if is_new else {}
            other = self._ahead[place]
            if other.job == record.job:
                if other.kind == RecordType.JOB_AD:
                    return other.fields
                self._note_attributes(record.cluster, False)
                return {}
            place += 1
        self._note_attributes(record.cluster, False)
        return {}

    def _note_attributes(self, cluster: int, has_them: bool) -> None:
        self._has_attributes[cluster] = has_them
        if len(self._has_attributes) > MAX_CLUSTERS:
            del self._has_attributes[next(iter(self._has_attributes))]

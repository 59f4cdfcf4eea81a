"""What has happened to the jobs in a log so far, and the events of what happens next."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from lamia_gql.adapters.batch_event import batch_event
from lamia_gql.adapters.condor.job_target import JobTarget
from lamia_gql.adapters.condor.log_file import Record
from lamia_gql.adapters.condor.record_fields import (
    RecordType,
    find_end,
    find_host,
    find_message,
    find_node,
    find_usage,
    hold_codes,
)
from lamia_gql.adapters.condor.record_times import parse_time
from lamia_gql.adapters.event_id import event_id
from lamia_gql.client.event import Event
from lamia_gql.client.priorities import END_CLASSES

WAITS_AGAIN = (
    RecordType.EVICTED,
    RecordType.SHADOW_EXCEPTION,
    RecordType.RECONNECT_FAILED,
    RecordType.RELEASED,
)
"""After these a job is in the queue again, and runs from its beginning."""
RECENT_S = 10.0
"""How long it is remembered what happened to a job in one second."""
END_OF_SECOND_S = 0.999
"""When in its second a job has ended. It may have told the server itself that it has started in
that second, and more exactly than the log, which drops fractions."""
STEP_S = 0.000_001
"""What keeps events of one second in their order."""


class _Draft(NamedTuple):
    """An event without its name and place in time."""

    event_class: str
    attempt: int
    more: dict[str, Any]
    """Further arguments of :func:`batch_event`."""


class _Job:
    """What is known of a job that has started and not ended. As JSON it is a list."""

    def __init__(self, starts: int, is_running: bool, host: str | None, since: float) -> None:
        self.starts = starts
        self.is_running = is_running
        self.host = host
        self.since = since
        """When it started last, in seconds since 1970."""

    @property
    def attempt(self) -> int:
        """The current one; that of a waiting job is the next one.

        So whatever a job that was evicted says late belongs to an earlier attempt.
        """
        return self.starts - 1 if self.is_running else self.starts

    def to_json(self) -> list[Any]:
        """Return the arguments."""
        return [self.starts, self.is_running, self.host, self.since]


class JobHistory:
    """Makes events of records.

    Args:
        target: which jobs they are.
        state: from :meth:`to_json`; None at the beginning of a log.
    """

    def __init__(self, target: JobTarget, state: Mapping[str, Any] | None) -> None:
        state = state or {}
        self._target = target
        self._latest: float = state.get("latest", 0.0)
        self._jobs = {job: _Job(*known) for job, known in state.get("jobs", {}).items()}
        self._nodes: dict[str, list[Any]] = state.get("nodes", {})
        """By cluster: the name in its DAG, and how many of its jobs have not ended."""
        self._recent: dict[str, list[Any]] = state.get("recent", {})
        """By job: its latest second, and what happened in it."""

    def to_json(self) -> dict[str, Any]:
        """Return what has to be known to go on."""
        jobs = {job: known.to_json() for job, known in self._jobs.items()}
        return {"latest": self._latest, "jobs": jobs, "nodes": self._nodes, "recent": self._recent}

    def add(self, record: Record, attributes: Mapping[str, Any]) -> list[Event]:
        """Take over the next record, and return its events.

        Args:
            record: what has happened.
            attributes: of the job, as far as the log has them.
        """
        fields = record.fields
        text = str(fields["EventTime"])
        time_s = parse_time(text, record.changed_at, self._latest)
        if time_s > self._latest:
            self._latest = time_s
            since = time_s - RECENT_S
            self._recent = {job: known for job, known in self._recent.items() if known[0] > since}
        node = self._find_node(record)
        name = self._target.find(record.cluster, record.proc, node, attributes)
        if name is None:
            return []
        drafts = list(self._draft(record, time_s))
        may_have_script = node is not None and drafts and drafts[-1].attempt > 0
        if record.kind == RecordType.POST_SCRIPT or (
            record.kind in (RecordType.ABORTED, RecordType.TERMINATED) and not may_have_script
        ):
            self._jobs.pop(record.job, None)
        # Another log of the same job may have fractions of seconds.
        second = math.floor(time_s)
        made = []
        for draft in drafts:
            is_vague_end = draft.event_class in END_CLASSES and "." not in text
            offset_s = END_OF_SECOND_S if is_vague_end else 0.0
            what = f"{draft.event_class} {record.kind}"
            place, occurrence = self._note(record.job, second, what)
            made.append(
                batch_event(
                    event_id(second, "condor", *name, record.job, what, occurrence),
                    draft.event_class,
                    time_s + offset_s + place * STEP_S,
                    task=name.task,
                    process=name.process,
                    index=name.job_index,
                    attempt=draft.attempt,
                    batch_id=record.job,
                    **draft.more,
                )
            )
        return made

    def _find_node(self, record: Record) -> str | None:
        """Return the job's name in its DAG; only the submission and the POST script tell."""
        cluster, node = str(record.cluster), find_node(record.fields)
        if node is not None and record.kind == RecordType.SUBMIT:
            known = self._nodes.setdefault(cluster, [node, 0])
            known[1] += 1
        elif node is None and cluster in self._nodes:
            node = self._nodes[cluster][0]
            if record.kind in (RecordType.ABORTED, RecordType.TERMINATED):
                self._nodes[cluster][1] -= 1
                if self._nodes[cluster][1] <= 0:
                    del self._nodes[cluster]
        return node

    def _note(self, job: str, second: int, what: str) -> tuple[int, int]:
        """Return how many events a job had in that second, and how many of these are the same."""
        known = self._recent.get(job)
        happened = known[1] if known is not None and known[0] == second else []
        self._recent[job] = [second, [*happened, what]]
        return len(happened), happened.count(what)

    def _draft(self, record: Record, time_s: float) -> Iterator[_Draft]:
        kind, fields = record.kind, record.fields
        job = self._jobs.get(record.job) or _Job(0, False, None, time_s)
        host = {"hostname": job.host}
        message = {"message": find_message(fields)}
        if kind == RecordType.SUBMIT:
            yield _Draft("SUBMITTED", job.attempt, {})
        elif kind == RecordType.EXECUTE:
            job = self._jobs[record.job] = _Job(job.starts + 1, True, find_host(fields), time_s)
            yield _Draft("STARTED", job.attempt, {"hostname": job.host})
        elif kind == RecordType.UNSUSPENDED:
            yield _Draft("STARTED", job.attempt, host)
        elif kind == RecordType.IMAGE_SIZE:
            yield _Draft("BEAT", job.attempt, host | {"usage": find_usage(fields, None)})
        elif kind in (RecordType.DISCONNECTED, RecordType.RECONNECTED):
            yield _Draft("BEAT", job.attempt, host | message)
        elif kind == RecordType.SUSPENDED:
            yield _Draft("HELD", job.attempt, host | message)
        elif kind == RecordType.HELD:
            job.is_running = False
            yield _Draft("HELD", job.attempt, host | message | {"payload": hold_codes(fields)})
        elif kind in WAITS_AGAIN:
            if fields.get("TerminatedAndRequeued"):
                yield self._draft_end(record, job, time_s)
            job.is_running = False
            yield _Draft("SUBMITTED", job.attempt, message)
        elif kind == RecordType.TERMINATED:
            yield self._draft_end(record, job, time_s)
        elif kind == RecordType.ABORTED:
            yield _Draft("TERMINATED", job.attempt, host | message)
        elif kind == RecordType.POST_SCRIPT:
            event_class, code, signal = find_end(fields)
            yield _Draft(event_class, job.attempt, message | {"exit_code": code, "signal": signal})

    @staticmethod
    def _draft_end(record: Record, job: _Job, time_s: float) -> _Draft:
        event_class, code, signal = find_end(record.fields)
        more = {
            "hostname": job.host,
            "exit_code": code,
            "signal": signal,
            "usage": find_usage(record.fields, time_s - job.since if job.is_running else None),
        }
        return _Draft(event_class, job.attempt, more)

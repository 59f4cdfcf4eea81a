"""Follows the jobs of a Slurm cluster: asks ``squeue`` again and again, and ``sacct`` for ends."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from lamia_gql.adapters.slurm.accounting import Accounting
from lamia_gql.adapters.slurm.ended_jobs import EndedJobs
from lamia_gql.adapters.slurm.job_events import Change, changed
from lamia_gql.adapters.slurm.job_label import JobLabel
from lamia_gql.adapters.slurm.job_queue import read_queue, select
from lamia_gql.adapters.slurm.job_record import JobRecord, Phase
from lamia_gql.adapters.slurm.slurm_command import SlurmError
from lamia_gql.adapters.source import PORTION_EVENTS, Portion, SourceError
from lamia_gql.client.event import Event

OVERLAP_S = 600.0
"""How much of the time before the last look is looked at again after a restart."""
RECENT_S = 60.0
"""How long ago the last look may be, so that no job has ended since and is forgotten already."""


class JobSelection(NamedTuple):
    """Which jobs are followed."""

    user: str | None = None
    """Whose; everybody's if None."""
    job_ids: frozenset[str] = frozenset()
    """The numbers of jobs or arrays; all if empty."""
    label: JobLabel | None = None
    """The process of these jobs, as far as they have no label of their own."""

    def find_label(self, job: JobRecord) -> JobLabel | None:
        """Return the process of a job; None if it is of no concern."""
        return job.label or self.label


class SlurmJobs:
    """The jobs of a cluster.

    The place is the time of the last look. What was told of each job is not remembered: after a
    restart all that Slurm still knows is told again, and the server recognises it.

    Args:
        selection: which jobs.
        interval_s: how often to look.
        since: from when to tell, at the first time, what the controller has forgotten; in a form
            that ``sacct`` takes. None for nothing of it.
    """

    def __init__(self, selection: JobSelection, interval_s: float, since: str | None) -> None:
        self.interval_s = interval_s
        self._selection = selection
        self._since = since
        user = selection.user
        self._queue_options = () if user is None else (f"--user={user}",)
        self._accounting = Accounting("--allusers" if user is None else f"--user={user}")
        self._ended = EndedJobs(self._accounting)
        self._seen: dict[str, JobRecord] | None = None
        """The followed jobs in the queue, as they were last told, by their batch ids."""
        self._unread_since: str | None = None
        """From when the accounts are still to be read, as they did not answer."""
        self._problem: str | None = None
        self._looked_at = float("-inf")
        """When it looked last, by the monotonic clock: the other one may be set meanwhile."""
        self._rest: Iterator[Event] = iter(())
        """What is still to be told of the last look."""
        self._place: Any = None
        """The place behind that."""

    @property
    def key(self) -> str:
        """Whose jobs, and which."""
        selection = self._selection
        names = "/".join(map(str, selection.label or ()))
        return f"slurm {selection.user or '*'} {','.join(sorted(selection.job_ids))} {names}"

    def read(self, place: Any) -> Portion:
        """Return what has happened since the last time. Raises :class:`SourceError`."""
        problems: list[str] = []
        events = self._next_events()
        if not events:
            try:
                problems = self._look(place)
            except SlurmError as error:
                raise SourceError(str(error)) from error
            events = self._next_events()
        is_last = len(events) < PORTION_EVENTS
        return Portion(events, self._place if is_last else place, is_last, tuple(problems))

    def close(self) -> None:
        """Nothing is open."""

    def _next_events(self) -> list[Event]:
        return list(islice(self._rest, PORTION_EVENTS))

    def _look(self, place: Any) -> list[str]:
        """Look at all jobs; returns problems, as sentences for the user."""
        now = time.time()
        queue = self._select(read_queue(*self._queue_options))
        if self._seen is None:
            self._unread_since = self._since if place is None else _overlap(place["time"])
        news, problems = self._read_history(queue)
        seen = self._seen or {}
        for batch_id, job in queue.items():
            before = seen.get(batch_id)
            is_same_run = before is not None and before.restarts == job.restarts
            change = Change(job, before.phase if before and is_same_run else None)
            if job.phase is None:
                # It has ended or was requeued; which of them, the next state tells.
                if before is not None:
                    queue[batch_id] = before
            elif job.phase is not Phase.ENDED:
                news.append(change)
            elif change.before is not Phase.ENDED:
                self._ended.add(change, now)
        is_recent = time.monotonic() - self._looked_at < RECENT_S
        self._looked_at = time.monotonic()
        for batch_id, job in seen.items():
            if batch_id not in queue and job.phase is not Phase.ENDED:
                self._ended.add(Change(job, job.phase if is_recent else None), now)
        self._ended.discard(change.job.batch_id for change in news)
        ended, more_problems = self._ended.collect()
        self._seen = queue
        self._rest = self._tell([*news, *ended], now)
        self._place = {"time": now} if self._unread_since is None else place
        return problems + more_problems

    def _select(self, records: Iterable[JobRecord]) -> dict[str, JobRecord]:
        """Return the followed ones of these jobs, by their batch ids; the latest of each."""
        chosen = select(records, self._selection.job_ids)
        return {job.batch_id: job for job in chosen if self._selection.find_label(job)}

    def _read_history(self, queue: dict[str, JobRecord]) -> tuple[list[Change], list[str]]:
        """Return the jobs that have ended while nobody looked, and left the queue; and problems.

        If the accounts do not answer, they are asked again at the next look.
        """
        if self._unread_since is None:
            return [], []
        try:
            runs = self._accounting.read(self._accounting.find_since(self._unread_since))
        except SlurmError as error:
            is_known = self._problem == str(error)
            self._problem = str(error)
            return [], [] if is_known else [f"{error} What has ended before is told later."]
        self._unread_since = None
        chosen = self._select(job for jobs in runs.values() for job in jobs)
        forgotten = [batch_id for batch_id in chosen if batch_id not in queue]
        return [Change(job, None) for batch_id in forgotten for job in runs[batch_id]], []

    def _tell(self, changes: Iterable[Change], now: float) -> Iterator[Event]:
        for change in changes:
            label = self._selection.find_label(change.job)
            if label is not None:
                yield from changed(change, label, now)


def _overlap(seconds: float) -> str:
    """Return the time some minutes before, as ``sacct`` takes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(seconds - OVERLAP_S))

"""Jobs whose ends are told once the accounting knows what they have used."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import NamedTuple

from lamia_gql.adapters.slurm.accounting import Accounting
from lamia_gql.adapters.slurm.job_events import Change
from lamia_gql.adapters.slurm.job_record import JobRecord, Phase
from lamia_gql.adapters.slurm.slurm_command import SlurmError

USAGE_DELAY_S = 10.0
"""How long the accounting may take to know that a job has ended."""
LOST_DELAY_S = 3600.0
"""How long the accounting is asked for a job that the controller has forgotten."""
MAX_NAMED = 5
"""How many of the jobs whose ends are unknown are named."""


class _Waiting(NamedTuple):
    """A job that waits."""

    change: Change
    added_at: float
    """When it was added, in seconds since 1970."""
    since: float
    """The same by the monotonic clock: the other one may be set meanwhile."""


class EndedJobs:
    """Jobs that have ended, or that the controller has forgotten before it was seen how they ended.

    Args:
        accounting: which is asked for them.
    """

    def __init__(self, accounting: Accounting) -> None:
        self._accounting = accounting
        self._waiting: dict[str, _Waiting] = {}
        """The jobs, by their batch ids."""
        self._problem: str | None = None

    def add(self, change: Change, now: float) -> None:
        """Wait for the end of a job, or for its usage.

        A waiting job of an array that has vanished since it was seen ``before`` was cancelled.
        """
        self._waiting[change.job.batch_id] = _Waiting(change, now, time.monotonic())

    def discard(self, batch_ids: Iterable[str]) -> None:
        """Forget jobs that are back in the queue, for example after a requeue."""
        for batch_id in batch_ids:
            self._waiting.pop(batch_id, None)

    def collect(self) -> tuple[list[Change], list[str]]:
        """Return the jobs whose ends can be told now, and problems as sentences for the user."""
        problems = []
        found: dict[str, list[JobRecord]] = {}
        try:
            ids = (waiting.change.job.job_id for waiting in self._waiting.values())
            found = self._accounting.read(ids)
            self._problem = None
        except SlurmError as error:
            if str(error) != self._problem:
                self._problem = str(error)
                problems.append(f"{error} Ends are told without what the jobs have used.")
        known, lost = [], []
        now = time.monotonic()
        for batch_id, waiting in list(self._waiting.items()):
            end = self._find_end(waiting, found.get(batch_id, []), now - waiting.since)
            if end is not None:
                known.append(end)
            elif self._is_lost(waiting.change.job, now - waiting.since):
                lost.append(batch_id)
            else:
                continue
            del self._waiting[batch_id]
        if lost:
            names = ", ".join(lost[:MAX_NAMED]) + (", …" if len(lost) > MAX_NAMED else "")
            problems.append(
                f"Slurm has forgotten how these jobs ended, {len(lost)} in all: {names}."
                " Ask more often than its MinJobAge (--interval)."
            )
        return known, problems

    def _find_end(self, waiting: _Waiting, runs: list[JobRecord], waited_s: float) -> Change | None:
        change = waiting.change
        job = change.job
        ended = [run for run in runs if run.phase is Phase.ENDED]
        has_waited = not self._accounting.is_enabled or waited_s > USAGE_DELAY_S
        if job.phase is Phase.ENDED:
            for run in ended:
                if run.restarts == job.restarts:
                    return change._replace(job=job._replace(usage={**job.usage, **run.usage}))
            return change if has_waited else None
        if not ended:
            # Slurm keeps no record of a job that is cancelled out of an array that waits.
            is_cancelled = (
                change.before in (Phase.SUBMITTED, Phase.HELD) and job.job_index is not None
            )
            if is_cancelled and has_waited:
                return change._replace(
                    job=job._replace(state="CANCELLED", ended_at=waiting.added_at)
                )
            return None
        # The accounting need not keep comments.
        run = ended[-1]._replace(comment=job.comment, name=job.name)
        return Change(run, change.before if run.restarts == job.restarts else None)

    def _is_lost(self, job: JobRecord, waited_s: float) -> bool:
        is_asked = self._accounting.is_enabled and waited_s < LOST_DELAY_S
        return job.phase is not Phase.ENDED and not is_asked

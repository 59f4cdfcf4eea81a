"""What ``lamia-gql hook slurm`` does, which Slurm's controller runs for each job.

The controller tells a hook little, and of a job that was cancelled even that it has exited with 0.
So the hook asks ``squeue`` for the job. It does so in the background: the controller may wait for
it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping

from lamia_gql.adapters.slurm import job_events
from lamia_gql.adapters.slurm.hook_call import HookCall
from lamia_gql.adapters.slurm.job_queue import read_jobs
from lamia_gql.adapters.slurm.job_record import JobRecord, Phase, parse_exit, parse_time
from lamia_gql.adapters.slurm.slurm_command import NoSlurmError, SlurmError
from lamia_gql.client.event import Event

COMPLETING_S = 60.0
"""How long it waits until an ended job is no longer COMPLETING: nodes clean up after it."""
MIN_DELAY_S, MAX_DELAY_S = 0.1, 5.0
ANSWER_S = 60.0
"""How long a controller that does not answer is asked again: it may be busy, or just restart."""


def read_events(call: HookCall) -> list[Event]:
    """Return what has happened to the job; nothing if it has no label, or Slurm has forgotten it.

    Waits until the state of an ended job is known, for a minute at most, and as long for a
    controller that does not answer. Raises :class:`SlurmError`.
    """
    # The jobs of an array that wait are one job for the controller, and may be cancelled together.
    jobs = _ask(call.job_id)
    if not any(job.label for job in jobs):
        return []
    if call.final:
        jobs = [_with_record(job, call.final) for job in jobs]
    elif not call.is_prolog:
        jobs = _wait_for_end(call.job_id, jobs)
    return [event for job in jobs for event in _tell(job, call)]


def _tell(job: JobRecord, call: HookCall) -> Iterable[Event]:
    label = job.label
    if label is None:
        return ()
    if call.is_prolog:
        return job_events.started(job, label)
    if job.phase in (Phase.SUBMITTED, Phase.HELD):  # it was requeued
        return job_events.submitted(job, label)
    return job_events.ended(job, label)


def _with_record(job: JobRecord, final: Mapping[str, str]) -> JobRecord:
    """Return a job with what ``jobcomp/script`` tells, which knows its state while it COMPLETES."""
    started_at, ended_at = (parse_time(final.get(name, "")) for name in ("START", "END"))
    if started_at not in (None, job.started_at):
        # It is another run that squeue shows: after a lost node, for example, it waits again.
        job = job._replace(state="PENDING")
    else:
        job = job._replace(state=final["JOBSTATE"])
    code, signal = parse_exit(final.get("EXITCODE", ""))
    if code or signal:
        job = job._replace(exit_code=code, signal=signal)
    if job.phase is Phase.ENDED:
        return job._replace(ended_at=ended_at)
    # A requeued job gets a new time of submission only when it has been cleaned up.
    return job._replace(submitted_at=ended_at)


def _wait_for_end(job_id: str, jobs: list[JobRecord]) -> list[JobRecord]:
    pauses = _pauses(COMPLETING_S)
    while any(job.phase is None for job in jobs) and next(pauses, False):
        jobs = _ask(job_id) or jobs
    return jobs


def _ask(job_id: str) -> list[JobRecord]:
    pauses = _pauses(ANSWER_S)
    while True:
        try:
            return read_jobs(job_id)
        except NoSlurmError:
            raise
        except SlurmError:
            if not next(pauses, False):
                raise


def _pauses(limit_s: float) -> Iterator[bool]:
    """Wait for longer each time, before it gives True; until another wait would end too late."""
    deadline = time.monotonic() + limit_s
    delay = MIN_DELAY_S
    while time.monotonic() + delay <= deadline:
        time.sleep(delay)
        yield True
        delay = min(2 * delay, MAX_DELAY_S)

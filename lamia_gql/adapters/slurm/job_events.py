"""What a job of Slurm tells the server: one function for each kind of event.

The ids follow from the job, its restarts and the times that Slurm tells, so a follower and a hook
that tell the same event are one.

Slurm's times are whole seconds, so events are dated in the order in which they can happen within
one. An end is dated at its last moment, so that it is not before what the job itself reported then.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import NamedTuple

from lamia_gql.adapters.batch_event import batch_event
from lamia_gql.adapters.event_id import event_id
from lamia_gql.adapters.slurm.job_label import JobLabel
from lamia_gql.adapters.slurm.job_record import JobRecord, Phase
from lamia_gql.client.event import Event
from lamia_gql.client.priorities import END_CLASSES

HOLD_DELAY_S, RELEASE_DELAY_S, START_DELAY_S, SUSPEND_DELAY_S, RESUME_DELAY_S, END_DELAY_S = (
    *(0.001, 0.002, 0.003, 0.004, 0.005),
    0.999,
)
"""How much after the beginning of a second each kind of event is dated; a submission is at it."""
UNMET_DEPENDENCY = "DependencyNeverSatisfied"
"""Why a job is cancelled that can never start."""


def submitted(job: JobRecord, label: JobLabel) -> Iterator[Event]:
    """Yield SUBMITTED, at the time of the submission or requeue."""
    if job.submitted_at is not None:
        yield _make(job, label, "SUBMITTED", job.submitted_at)


def started(job: JobRecord, label: JobLabel) -> Iterator[Event]:
    """Yield STARTED, if the job has started."""
    if job.started_at is not None and job.host is not None:
        yield _make(job, label, "STARTED", job.started_at + START_DELAY_S)


def ended(job: JobRecord, label: JobLabel) -> Iterator[Event]:
    """Yield DONE, FAILED or TERMINATED, with the cause, if the job has ended."""
    if job.event_class is None or job.ended_at is None:
        return
    is_told = job.state in ("COMPLETED", "FAILED") or bool(job.exit_code)
    usage = dict(job.usage)
    if job.started_at is not None and job.host is not None:
        usage["wallSeconds"] = max(0.0, job.ended_at - job.started_at)
    yield _make(
        job,
        label,
        job.event_class,
        job.ended_at + END_DELAY_S,
        exit_code=job.exit_code if is_told and not job.signal else None,
        message=_message(job),
        usage=usage,
    )


class Change(NamedTuple):
    """A job in its present state, and what was known before."""

    job: JobRecord
    before: Phase | None
    """What its state meant then; None if this run of it was not seen."""


def changed(change: Change, label: JobLabel, now_s: float) -> Iterator[Event]:
    """Yield what has happened to a job since it was seen before.

    Args:
        change: the job.
        label: its process.
        now_s: the time of being held, released, suspended and resumed: Slurm does not tell it.
    """
    job, before = change
    phase = job.phase
    if phase is None or phase is before:
        return
    now_s = float(int(now_s))
    if before is None and phase in (Phase.SUBMITTED, Phase.HELD):
        yield from submitted(job, label)
    elif before in (None, Phase.SUBMITTED, Phase.HELD):
        yield from started(job, label)
    elif phase is Phase.ACTIVE:
        yield _make(job, label, "STARTED", now_s + RESUME_DELAY_S)
    if before is Phase.HELD and phase is Phase.SUBMITTED:
        yield _make(job, label, "SUBMITTED", now_s + RELEASE_DELAY_S)
    if phase is Phase.HELD:
        yield _make(job, label, "HELD", now_s + HOLD_DELAY_S, message=job.reason or job.state)
    if phase is Phase.SUSPENDED:
        yield _make(job, label, "HELD", now_s + SUSPEND_DELAY_S, message=job.state)
    yield from ended(job, label)


def _make(
    job: JobRecord,
    label: JobLabel,
    event_class: str,
    at_s: float,
    *,
    exit_code: int | None = None,
    message: str | None = None,
    usage: dict[str, float] | None = None,
) -> Event:
    is_end = event_class in END_CLASSES
    return batch_event(
        event_id(at_s, "slurm", job.cluster, job.batch_id, job.restarts, event_class),
        event_class,
        at_s,
        task=label.task,
        process=label.process,
        index=label.job_index if job.job_index is None else job.job_index,
        attempt=job.restarts,
        batch_id=job.batch_id,
        hostname=None if event_class == "SUBMITTED" else job.host,
        exit_code=exit_code,
        signal=_signal_name(job.signal) if is_end else None,
        message=message,
        usage=usage,
    )


def _signal_name(number: int) -> str | None:
    """Return the name; None for the numbers that Slurm gives other meanings, as in ``0:53``."""
    try:
        return signal.Signals(number).name if number < signal.SIGRTMIN else None
    except ValueError:
        return None


def _message(job: JobRecord) -> str | None:
    """Return the cause of an end, if exit code or signal do not tell it."""
    if job.state == "COMPLETED":
        return None
    if job.state == "FAILED":
        if job.exit_code or _signal_name(job.signal):
            return None
        # For example 0:53 if the file for the output can't be created.
        reason = job.reason or "no reason"
        return f"FAILED ({reason}, {job.exit_code}:{job.signal})"
    return f"{job.state} ({job.reason})" if job.reason == UNMET_DEPENDENCY else job.state

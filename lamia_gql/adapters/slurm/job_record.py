"""A job as Slurm shows it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from lamia_gql.adapters.slurm.job_label import JobLabel, find_label

PENDING_STATES = {"PENDING", "REQUEUED", "REQUEUE_FED"}
ACTIVE_STATES = {"CONFIGURING", "RESIZING", "RUNNING", "SIGNALING"}
"""States of a job that has started and not ended."""
SUSPENDED_STATES = {"SUSPENDED", "STOPPED"}
HELD_STATES = {"REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD"}
"""States of a job that waits for somebody to release it; else its reason says that."""
HELD_REASONS = ("JobHeld", "launch failed requeued held", "job requeued in held state")
"""How the reasons begin for which a pending job waits to be released."""
EVENT_CLASSES = {
    "COMPLETED": "DONE",
    "FAILED": "FAILED",
    "BOOT_FAIL": "FAILED",
    "LAUNCH_FAILED": "FAILED",
    "NODE_FAIL": "FAILED",
    "OUT_OF_MEMORY": "FAILED",
    "CANCELLED": "TERMINATED",
    "DEADLINE": "TERMINATED",
    "PREEMPTED": "TERMINATED",
    "REVOKED": "TERMINATED",
    "TIMEOUT": "TERMINATED",
}
"""The end that each final state is."""


class Phase(Enum):
    """What the states mean to the server."""

    SUBMITTED = "submitted"
    HELD = "held"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    ENDED = "ended"


class JobRecord(NamedTuple):
    """A job, or one of an array. Times are in seconds since 1970."""

    cluster: str
    job_id: str
    """Slurm's number of this job; each of an array has its own once it has started."""
    batch_id: str
    """What users know it by: ``1234_7`` in an array, else ``1234``."""
    job_index: int | None
    """The index in its array; None outside of one."""
    state: str
    reason: str = ""
    restarts: int = 0
    host: str | None = None
    """The node of its batch script, or all its nodes; None if it has not started."""
    submitted_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    exit_code: int = 0
    signal: int = 0
    comment: str = ""
    name: str = ""
    usage: Mapping[str, float] = {}

    @property
    def label(self) -> JobLabel | None:
        """The process that its comment, or else its name, says."""
        return find_label(self.comment, self.name)

    @property
    def event_class(self) -> str | None:
        """Which end its state is; None if it has not ended."""
        return EVENT_CLASSES.get(self.state)

    @property
    def phase(self) -> Phase | None:
        """What its state means; None for a passing state, such as COMPLETING.

        A job is COMPLETING after it was requeued, too: only the next state tells more.
        """
        if self.state in EVENT_CLASSES:
            return Phase.ENDED
        if self.state in ACTIVE_STATES:
            return Phase.ACTIVE
        if self.state in SUSPENDED_STATES:
            return Phase.SUSPENDED
        reason = self.reason.replace("_", " ")  # the spelling depends on the version
        is_pending = self.state in PENDING_STATES
        if self.state in HELD_STATES or (is_pending and reason.startswith(HELD_REASONS)):
            return Phase.HELD
        return Phase.SUBMITTED if is_pending else None


def is_later_part(job_id: str) -> bool:
    """Whether a job is a part of a heterogeneous one, such as ``1234+1``, and not the first.

    The parts are one job to the server. The first one, ``1234+0``, has its number and its script.
    """
    return job_id.partition("+")[2] not in ("", "0")


def parse_exit(text: str) -> tuple[int, int]:
    """Return the exit code and the signal of ``3:0``, or of the status of ``wait`` as a number."""
    code, colon, number = text.partition(":")
    try:
        if colon:
            return int(code), int(number)
        status = int(code)
    except ValueError:
        return 0, 0
    signal = status & 0x7F
    return (0, signal) if signal else (status >> 8 & 0xFF, 0)


def parse_time(text: str) -> float | None:
    """Return a time in seconds since 1970; None for ``Unknown``, ``NONE`` and the like."""
    return float(text) if text.isdecimal() and text != "0" else None


def parse_bytes(text: str) -> float | None:
    """Return the number of bytes in ``4904K``, ``1.5G`` or ``4000M``; None if there is none.

    A number without a unit is one of bytes.
    """
    # Before version 21.08, a letter more said whether it is per node or per CPU.
    text = text.strip().rstrip("nc")
    unit = "KMGTP".find(text[-1:]) + 1 if text[-1:] else 0
    try:
        return float(text[:-1] if unit else text) * float(1024**unit)
    except ValueError:
        return None

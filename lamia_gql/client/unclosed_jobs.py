"""The jobs that are closed when Python exits: those that have sent events since they were closed.

No others are kept, because a pool makes a job for each call.
"""

from __future__ import annotations

import atexit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamia_gql.client.job import Job
    from lamia_gql.client.sender import Sender

_jobs: dict[Sender, Job] = {}
"""One of the jobs that share a sender."""


def keep(job: Job, sender: Sender) -> None:
    """Close a job when Python exits."""
    _jobs.setdefault(sender, job)


def close(job: Job, sender: Sender, timeout: float) -> None:
    """Close its sender now; at exit only if there is still something to send."""
    # First, because an event that comes meanwhile is for the exit.
    kept = _jobs.pop(sender, job)
    try:
        sender.close(timeout)
    finally:  # Ctrl-C may come meanwhile
        if sender.has_waiting:
            keep(kept, sender)


def give_up() -> None:
    """Close none when Python exits, as after a close in vain: it would take the time once more."""
    _jobs.clear()


@atexit.register
def _close_all() -> None:
    for job in list(_jobs.values()):
        job.close()

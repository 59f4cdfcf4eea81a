"""The job side of lamia-gql: tells a server how a job fares, and never hurts the job.

Nothing but the standard library, from Python 3.9 on, so that it runs on any node::

    from lamia_gql.client import Job

    with Job() as job:          # LAMIA_URL, LAMIA_TASK, LAMIA_PROCESS say where and who
        job.progress(10)
        if job.enough:
            ...
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamia_gql.client.job import Job

__all__ = ["Job"]


def __getattr__(name: str) -> object:
    # Not before it is asked for: `lamia-job run` starts its program without it.
    if name == "Job":
        from lamia_gql.client.job import Job

        return Job
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

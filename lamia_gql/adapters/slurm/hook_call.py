"""For what Slurm's controller has run the hook.

It imports little: the controller waits until the hook has looked at this and gone into the
background.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

PROLOG = "prolog_slurmctld"
EPILOG = "epilog_slurmctld"


class HookCall(NamedTuple):
    """For what the controller has run the hook."""

    is_prolog: bool
    job_id: str
    final: Mapping[str, str]
    """What the plugin ``jobcomp/script`` tells of a job that has ended; else empty."""


def find_call(environ: Mapping[str, str]) -> HookCall | None:
    """Return for what the hook was run; None if it was not by Slurm's controller."""
    context = environ.get("SLURM_SCRIPT_CONTEXT")
    if context in (PROLOG, EPILOG):
        job_id, final = environ.get("SLURM_JOB_ID", ""), {}
    else:
        job_id, final = environ.get("JOBID", ""), dict(environ)
        if "JOBSTATE" not in environ:
            return None
    return HookCall(context == PROLOG, job_id, final) if job_id.isdecimal() else None

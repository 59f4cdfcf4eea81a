"""What batch systems tell their jobs: the index in the array, and the number of restarts."""

from __future__ import annotations

import re
from collections.abc import Mapping

MAX_INT32 = 2**31 - 1
"""The largest index and the largest attempt that the server accepts."""
MAX_JOB_AD_BYTES = 4 * 1024 * 1024
"""How much of HTCondor's job ad is read."""
INDEX_VARIABLES = (
    ("SLURM_ARRAY_TASK_ID", 0),
    ("LSB_JOBINDEX", 1),  # 0 outside of an array
    ("PBS_ARRAY_INDEX", 0),
    ("PBS_ARRAYID", 0),
    ("SGE_TASK_ID", 1),  # "undefined" outside of an array
)
"""The variables that hold an index, each with the smallest valid value; the first one counts."""


def find_index(environ: Mapping[str, str]) -> int | None:
    """Return the index of this job in its array; None outside of an array.

    In an HTCondor job it is the number in the cluster (``ProcId``), which is 0 where the cluster
    consists of a single job.
    """
    # HTCondor first: its pilots run in jobs of other systems and may pass on their variables.
    number = _read_job_ad(environ, "ProcId")
    if number is not None:
        return number
    for name, smallest in INDEX_VARIABLES:
        number = _parse_number(environ.get(name))
        if number is not None and number >= smallest:
            return number
    return None


def find_attempt(environ: Mapping[str, str]) -> int:
    """Return how often the batch system has restarted this job; 0 if it does not tell."""
    number = _read_job_ad(environ, "NumJobStarts")
    if number is None:
        number = _parse_number(environ.get("SLURM_RESTART_COUNT"))
    return number or 0


def _read_job_ad(environ: Mapping[str, str], attribute: str) -> int | None:
    path = environ.get("_CONDOR_JOB_AD")
    if not path:
        return None
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read(MAX_JOB_AD_BYTES)
    except OSError:
        return None
    # Attribute names are case-insensitive.
    found = re.search(rf"^\s*{attribute}\s*=\s*(\S+)\s*$", text, re.IGNORECASE | re.MULTILINE)
    return _parse_number(found[1]) if found else None


def _parse_number(text: str | None) -> int | None:
    if text is None or re.fullmatch(r"\s*[0-9]{1,10}\s*", text) is None:
        return None
    number = int(text)
    return number if number <= MAX_INT32 else None

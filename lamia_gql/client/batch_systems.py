"""What batch systems tell their jobs: which of an array they are, and how often restarted."""

from __future__ import annotations

import re
from collections.abc import Mapping

MAX_NUMBER = 2**31 - 1
"""The largest number that an index or an attempt can be."""
LARGEST_AD = 4 * 1024 * 1024
"""Bytes of HTCondor's job ad that are read."""
INDICES = (
    ("SLURM_ARRAY_TASK_ID", 0),
    ("LSB_JOBINDEX", 1),  # 0 in a job that is not of an array
    ("PBS_ARRAY_INDEX", 0),
    ("PBS_ARRAYID", 0),
    ("SGE_TASK_ID", 1),  # "undefined" in a job that is not of an array
)
"""The variables that hold an index, and the smallest value that is one."""


def find_index(environ: Mapping[str, str]) -> int | None:
    """The index of this job in its array; None outside of all arrays.

    In an HTCondor job it is the number in the cluster, which is there (and 0) also where the
    cluster is a single job.
    """
    # HTCondor first: its pilots run in jobs of the other systems and may pass on their variables.
    number = _from_job_ad(environ, "ProcId")
    if number is not None:
        return number
    for name, smallest in INDICES:
        number = _number(environ.get(name))
        if number is not None and number >= smallest:
            return number
    return None


def find_attempt(environ: Mapping[str, str]) -> int:
    """How often the batch system has restarted this job; 0 where it does not tell."""
    number = _from_job_ad(environ, "NumJobStarts")
    if number is None:
        number = _number(environ.get("SLURM_RESTART_COUNT"))
    return number or 0


def _from_job_ad(environ: Mapping[str, str], attribute: str) -> int | None:
    path = environ.get("_CONDOR_JOB_AD")
    if not path:
        return None
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read(LARGEST_AD)
    except OSError:
        return None
    # Names of attributes are the same in any case.
    found = re.search(rf"^\s*{attribute}\s*=\s*(\S+)\s*$", text, re.IGNORECASE | re.MULTILINE)
    return _number(found[1]) if found else None


def _number(text: str | None) -> int | None:
    if text is None or re.fullmatch(r"\s*[0-9]{1,10}\s*", text) is None:
        return None
    number = int(text)
    return number if number <= MAX_NUMBER else None

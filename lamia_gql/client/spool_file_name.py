"""The name of a file in a spool: ``PRIORITY-TIME-SIZE-UUID-JOB``.

It carries what is needed to decide which files to delete first, and which events to send first.
Older versions wrote no ``-JOB``.
"""

from __future__ import annotations

import re

from lamia_gql.client.event import new_id

BLOCK_BYTES = 4096
"""The size of a file counts as at least one block."""
PARTS = 9
"""The number of parts of a name that ends with the job, separated by ``-``."""


def make_name(priority: str, time_us: str, content: bytes, job: str) -> str:
    """Return the name of a new file with this content."""
    name = f"{priority}-{time_us}-{len(content):08}-{new_id()}"
    return f"{name}-{job}" if job else name


def job_of_file(name: str) -> str:
    """Return the job whose events are in a file: see ``Event.job``. Empty for older versions."""
    parts = name.split("-")
    return parts[-1] if len(parts) == PARTS else ""


def time_of_file(name: str) -> int:
    """Return when it was written, in microseconds since 1970; 0 if the name does not tell."""
    time_us = name.split("-")[1]
    return int(time_us) if re.fullmatch("[0-9]{16}", time_us) else 0


def size_of_file(name: str) -> int:
    """Return how many bytes it takes on the disk."""
    try:
        return max(BLOCK_BYTES, int(name.split("-")[2]))
    except (LookupError, ValueError):
        return BLOCK_BYTES

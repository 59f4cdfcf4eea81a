"""Which process of which task a job of Slurm belongs to."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

LABEL = re.compile(r"(?<!\S)lamia:([^\s/]+)/([^\s/\[]+)(?:\[([0-9]{1,9})\])?(?!\S)")
"""``lamia:TASK/PROCESS``, or ``lamia:TASK/PROCESS[INDEX]``, as a word of its own."""


class JobLabel(NamedTuple):
    """A process on the server."""

    task: str
    process: str
    job_index: int | None = None
    """The index of a job that is not in an array of Slurm, but in one of the server."""


def find_label(*texts: str) -> JobLabel | None:
    """Return the label in the first text that has one, such as a comment or a job name.

    What can't be in a label is written as in URLs: ``lamia:my%20task/fill``.
    """
    for text in texts:
        found = LABEL.search(text)
        if found is not None:
            index = None if found[3] is None else int(found[3])
            return JobLabel(unquote(found[1]), unquote(found[2]), index)
    return None

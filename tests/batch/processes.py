"""Processes of this machine, found by what is in their environment."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path


def find_processes(*variables: str) -> set[int]:
    """The ids of all processes that began with all of these variables, each as ``NAME=VALUE``."""
    wanted = {variable.encode() for variable in variables}
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another user's
            if wanted <= set((folder / "environ").read_bytes().split(b"\0")):
                found.add(int(folder.name))
    return found - {os.getpid()}


def find_parents(processes: set[int]) -> set[int]:
    """The ids of their parents."""
    found = set()
    for process in processes:
        with suppress(OSError):
            status = Path(f"/proc/{process}/stat").read_text()
            # The name of the program is in brackets, and may have spaces.
            found.add(int(status.rpartition(")")[2].split()[1]))
    return found


def kill(processes: set[int]) -> None:
    """Kill processes by SIGKILL."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)

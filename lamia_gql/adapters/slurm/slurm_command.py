"""Runs the commands of Slurm."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

TIMEOUT_S = 60.0
"""How long a command may take: busy controllers answer late."""
ENVIRONMENT = {
    "LC_ALL": "C",
    "SLURM_BITSTR_LEN": "0",  # else long lists of array indices are cut
    "SLURM_TIME_FORMAT": "%s",  # seconds since 1970
}
"""What makes the output of commands the same everywhere."""
OWN_DEFAULTS = ("SQUEUE_", "SACCT_")
"""How the variables begin by which users change what the commands print."""


class SlurmError(Exception):
    """A command of Slurm has failed; one sentence for the user."""


class NoSlurmError(SlurmError):
    """There is no such command on this machine."""


def run_slurm(command: Sequence[str]) -> str:
    """Return what a command prints. Raises :class:`SlurmError`."""
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(OWN_DEFAULTS)
    }
    try:
        done = subprocess.run(  # noqa: S603  # its arguments are ours, or numbers
            command,
            env=environ | ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise NoSlurmError(f"There is no command {command[0]} here.") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SlurmError(f"{command[0]} has failed: {error}.") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        reason = lines[-1].strip() if lines else f"exit code {done.returncode}"
        raise SlurmError(f"{command[0]} has failed: {reason.removesuffix('.')}.")
    return done.stdout

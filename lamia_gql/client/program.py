"""Starts a program as a shell would."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Mapping, Sequence

LOCALE = b"LC_CTYPE="


def start(command: Sequence[str], outputs: Mapping[int, int]) -> subprocess.Popen[bytes]:
    """Start a program.

    It is looked for in PATH, and gets our environment and descriptors, but for ``outputs``: what
    is written to 1 or 2 goes there. Raises OSError where it can't be started.
    """
    try:
        return _start(command, outputs)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
    # A script that does not say what is to run it.
    import shutil

    return _start(["/bin/sh", shutil.which(command[0]) or command[0], *command[1:]], outputs)


def _start(command: Sequence[str], outputs: Mapping[int, int]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdout=outputs.get(1),
        stderr=outputs.get(2),
        close_fds=False,
        env=_environment(),
    )


def _environment() -> Mapping[bytes, bytes] | None:
    """Our environment as it was given to us: in the C locale Python changes a variable in it."""
    try:
        with open("/proc/self/environ", "rb") as file:
            given = [entry for entry in file.read().split(b"\0") if entry.startswith(LOCALE)]
    except OSError:
        return None
    environ = {name: value for name, value in os.environb.items() if name + b"=" != LOCALE}
    return {**environ, **{LOCALE[:-1]: entry[len(LOCALE) :] for entry in given}}

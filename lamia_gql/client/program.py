"""Starts a program as a shell would."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Mapping, Sequence

LOCALE_PREFIX = b"LC_CTYPE="


def start_program(command: Sequence[str], outputs: Mapping[int, int]) -> subprocess.Popen[bytes]:
    """Start a program that is searched in PATH, with our environment and descriptors.

    Args:
        command: The program and its arguments.
        outputs: Replacements for descriptors 1 and 2.

    Raises OSError if it can't be started.
    """
    try:
        return _start(command, outputs)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
    # A script without a "#!" line.
    import shutil

    return _start(["/bin/sh", shutil.which(command[0]) or command[0], *command[1:]], outputs)


def _start(command: Sequence[str], outputs: Mapping[int, int]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdout=outputs.get(1),
        stderr=outputs.get(2),
        close_fds=False,
        env=_original_environment(),
    )


def _original_environment() -> Mapping[bytes, bytes] | None:
    """Return our environment without the LC_CTYPE that Python sets itself in the C locale."""
    try:
        with open("/proc/self/environ", "rb") as file:
            entries = file.read().split(b"\0")
    except OSError:
        return None
    environ = {name: value for name, value in os.environb.items() if name + b"=" != LOCALE_PREFIX}
    for entry in entries:
        if entry.startswith(LOCALE_PREFIX):
            environ[LOCALE_PREFIX[:-1]] = entry[len(LOCALE_PREFIX) :]
    return environ

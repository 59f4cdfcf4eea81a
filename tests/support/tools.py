"""Programs that a test needs, and few machines have."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest


def require(found: str | None, what: str) -> str:
    """The path of a tool; the test is skipped without it, unless TESTS_COMPLETE is set."""
    if found is None:
        assert "TESTS_COMPLETE" not in os.environ, f"{what} is missing"
        pytest.skip(f"needs {what}")
    return found


def find_program(name: str) -> str | None:
    """The path of a program, also in the folder that Debian's path lacks for all but root."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def find_parallel() -> str:
    """The path of GNU parallel; the test is skipped without it, unless TESTS_COMPLETE is set.

    Debian has another program of that name, too.
    """
    path = shutil.which("parallel")
    if path is not None:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        if not done.stdout.startswith("GNU parallel"):
            path = None
    return require(path, "GNU parallel")

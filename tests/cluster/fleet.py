"""The fleet of ``bench.fleet`` beside a story."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]
OPTIONS = {"jobs": 500, "tasks": 10, "beat": 10, "connections": 10, "viewers": 20, "followers": 5}
TASKS = [f"fleet-{number}" for number in range(OPTIONS["tasks"])]
"""The names of its tasks."""
END_TIMEOUT_S = 120.0
"""Longer than the fleet waits for the last acknowledgements."""


class Fleet:
    """A fleet that runs for some time. Use it as a context manager.

    Args:
        url: the address of the balancer.
        duration_s: how long, in seconds.
    """

    def __init__(self, url: str, duration_s: int) -> None:
        self._command = [sys.executable, "-m", "bench.fleet", url, f"--duration={duration_s}"]
        self._command += [f"--{name}={value}" for name, value in OPTIONS.items()]
        self._timeout_s = duration_s + END_TIMEOUT_S

    def __enter__(self) -> Self:
        self._output = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, stdout=self._output, stderr=self._output
        )
        return self

    def __exit__(self, *_exception: object) -> None:
        self._process.kill()
        self._process.wait()
        self._output.close()

    def check(self) -> None:
        """It must have found no fault until now."""
        assert self._process.poll() in (None, 0), self._report()

    def await_end(self) -> None:
        """Wait until it has ended, and has found that no acknowledged event is missing."""
        try:
            self._process.wait(self._timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the fleet does not end: {self._report()}") from None
        self.check()

    def _report(self) -> str:
        self._output.seek(0)
        return self._output.read()

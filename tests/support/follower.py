"""``lamia-gql follow`` as a process that is killed, and the state it leaves."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.harness import environment_with
from tests.support.job_side import ROOT


class FollowerProcess:
    """A follower that runs until it is stopped or killed.

    Args:
        folder: its home, where it remembers places, and where its output goes.
        url: address of the server.
        arguments: the system and what to follow.
        settings: LAMIA_* settings.
    """

    def __init__(self, folder: Path, url: str, *arguments: str | Path, **settings: str) -> None:
        folder.mkdir(exist_ok=True)
        environ = environment_with({"url": url} | settings)
        environ |= {"HOME": str(folder), "XDG_STATE_HOME": str(folder)}
        command = [sys.executable, "-m", "lamia_gql", "follow", *map(str, arguments)]
        self._output = folder / "output"
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                command, env=environ, cwd=ROOT, stdout=output, stderr=output
            )

    def output(self) -> str:
        """What it has printed, with what those before it in that folder have printed."""
        return self._output.read_text()

    def kill(self) -> None:
        """Kill it, as if the power had failed."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Stop it by SIGTERM; returns its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(15)

    def wait(self) -> int:
        """Wait for its end; returns its exit code."""
        return self._process.wait(60)


@contextmanager
def follower(
    folder: Path, url: str, *arguments: str | Path, **settings: str
) -> Iterator[FollowerProcess]:
    """A follower that is killed at the end, if it still runs."""
    process = FollowerProcess(folder, url, *arguments, **settings)
    try:
        yield process
    finally:
        process.kill()

"""The programs of the cluster: where they are, and how they run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.support.tools import find_program, require
from tests.support.waiting import until

POSTGRES = Path("/usr/lib/postgresql/15/bin")
PACKAGES = {
    "patroni": "patroni",
    "etcd": "etcd-server",
    "haproxy": "haproxy",
    "pgbouncer": "pgbouncer",
}
"""The Debian package of each program."""
USER = "postgres"
"""PostgreSQL refuses to run as root."""
STOP_TIMEOUT_S = 10.0


def require_programs() -> None:
    """Skip the test where a program is missing, unless TESTS_COMPLETE is set."""
    require(shutil.which("postgres", path=POSTGRES), "Debian's postgresql-15")
    for program, package in PACKAGES.items():
        require(find_program(program), f"Debian's {package}")
    require("root" if os.geteuid() == 0 else None, "root, to start PostgreSQL as another user")


class Daemons:
    """Programs that run until the block ends, each with a log of its own.

    Args:
        folder: for the logs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Daemons:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stack.close()

    def start(self, name: str, command: Sequence[str], user: str | None = None) -> None:
        """Start a program, in a session of its own, with no variables of the tests.

        Args:
            name: what it is called here.
            command: its path and arguments.
            user: whose program it is, if not ours.
        """
        with self._log_file(name).open("ab") as log:
            process = subprocess.Popen(
                command,
                user=user,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._running[name] = process
        self._stack.callback(_end, process)

    def await_start(self, name: str, ready: Callable[[], object], timeout_s: float) -> None:
        """Wait until a program is ready, for so many seconds; fails with its log."""

        def answers() -> bool:
            assert self._running[name].poll() is None, self.log(name)
            return bool(ready())

        until(answers, lambda: self.log(name), timeout_s)

    def is_running(self, name: str) -> bool:
        """Whether a program was started, and has not ended."""
        process = self._running.get(name)
        return process is not None and process.poll() is None

    def kill(self, name: str) -> None:
        """Kill a program by SIGKILL, if it runs."""
        process = self._running.get(name)
        if process is not None:
            process.kill()
            process.wait()

    def log(self, name: str) -> str:
        """The end of what a program has written."""
        return self._log_file(name).read_text(errors="replace")[-4000:]

    def _log_file(self, name: str) -> Path:
        return self._folder / f"{name}.log"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

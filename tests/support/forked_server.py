"""Commands that start fast: copies of a process that has imported the application before."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from lamia_gql.commands.cli import main

_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload(
    [
        *("lamia_gql.server.run", "lamia_gql.live.pg_listener", "alembic.command", "psycopg"),
        *("lamia_gql.commands.setting_errors", "uvicorn.lifespan.on", "uvicorn.loops.uvloop"),
        *("lamia_gql.commands.server_client", "lamia_gql.commands.watch", __name__),
        "tests.support.warm_start",
    ]
)


class ForkedServer:
    """The same process as ``python -m lamia_gql serve``, with the methods of ``Popen``.

    Importing the application takes most of a server's start, and making the schema half of the
    rest. One process of its own, that of :mod:`multiprocessing`, has done both for all servers.

    Args:
        arguments: the arguments of ``serve``.
        environ: the whole environment.
        log: the file that stdout and stderr are appended to.
    """

    def __init__(self, arguments: list[str], environ: Mapping[str, str], log: Path) -> None:
        self._process = _FORKING.Process(target=_serve, args=(arguments, dict(environ), log))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises ``subprocess.TimeoutExpired`` after ``timeout`` seconds."""
        self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("serve", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it by SIGKILL."""
        self.send_signal(signal.SIGKILL)


def run_forked(
    arguments: Sequence[str], environ: Mapping[str, str], stdin: str, timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Run the same process as ``python -m lamia_gql`` with these arguments to its end.

    Raises ``subprocess.TimeoutExpired`` after ``timeout_s`` seconds.
    """
    with TemporaryDirectory() as name:
        streams = [Path(name, stream) for stream in ("stdin", "stdout", "stderr")]
        for stream in streams:
            stream.touch()
        streams[0].write_text(stdin)
        process = _FORKING.Process(
            target=_run_command, args=(arguments, dict(environ), streams, os.getcwd())
        )
        process.start()
        process.join(timeout_s)
        code = process.exitcode
        if code is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(list(arguments), timeout_s)
        return subprocess.CompletedProcess(
            list(arguments), code, streams[1].read_text(), streams[2].read_text()
        )


def _serve(arguments: list[str], environ: Mapping[str, str], log: Path) -> None:
    """Be the server, in the new process."""
    _replace_streams([None, log, log])
    _become(["serve", *arguments], environ)


def _run_command(
    arguments: Sequence[str], environ: Mapping[str, str], streams: Sequence[Path], folder: str
) -> None:
    """Be the command, in the new process."""
    _replace_streams(streams)
    os.chdir(folder)
    # Python has closed its own.
    with open(0, closefd=False) as sys.stdin:
        _become(arguments, environ)


def _replace_streams(files: Sequence[Path | None]) -> None:
    """Let files be stdin, stdout and stderr; None leaves one as it is."""
    for number, file in enumerate(files):
        if file is not None:
            opened = os.open(file, os.O_RDWR | os.O_APPEND)
            os.dup2(opened, number)
            os.close(opened)


def _become(arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environ)
    main(list(arguments), prog_name="lamia-gql")

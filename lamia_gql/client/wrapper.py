"""``lamia-job run``: a program that knows nothing of us, and a job that tells how it fares.

To whoever waits for it, and to whoever reads its output, a wrapped program is the program. It
runs in our process group, with our descriptors, limits and environment; its output goes through
us only where we have to look at it.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn

from lamia_gql.client.job import Job
from lamia_gql.client.output import Pipe, Tail, are_same, fill_gaps, release
from lamia_gql.client.watch import Options, Watch

STOPPING = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}
"""Signals that ask a program to end: one that does is TERMINATED, however it ends."""
FORWARDED = (*STOPPING, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU)
LOCALE = b"LC_CTYPE="
NOT_FOUND, NOT_RUNNABLE = 127, 126


class Wrapper:
    """One program from its start to its end."""

    def __init__(self, job: Job, command: Sequence[str], options: Options) -> None:
        self._job = job
        self._command = list(command)
        self._options = options
        self._tail = Tail(options.tail) if options.tail else None
        self._watch: Watch | None = None
        self._pid: int | None = None
        self._signals: list[signal.Signals] = []

    def run(self) -> NoReturn:
        """Run the program and end like it: by the same signal, or with the same exit code.

        Does not return. A program that can't be started ends as in a shell: 127 where there is
        none, else 126.
        """
        for number in FORWARDED:
            # What is ignored here is to be ignored by the program: see nohup.
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._forward)
        if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
            # Or the kernel would not keep the program's exit code for us.
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        pipes = self._make_pipes(fill_gaps())
        self._job.emit("STARTED", payload={"program": self._command[0]})
        try:
            program = self._start(pipes)
        except OSError as error:
            self._fail_to_start(error)
        watch = self._watch = Watch(self._job, program.pid, self._options)
        watch.start()
        self._pid = program.pid
        for number in list(self._signals):
            self._pass_on(number)
        _pid, status, rusage = os.wait4(program.pid, 0)
        self._pid = None
        program.returncode = status  # or its finalizer would wait for a process of another
        watch.finish()
        for pipe in pipes.values():
            pipe.finish(lambda: bool(self._signals))
        watch.tell_progress(at_end=True)
        self._tell_end(status, rusage, watch)
        self._job.close()
        _end_like(status)

    def _make_pipes(self, closed: set[int]) -> dict[str, Pipe]:
        """The pipes that are needed, by what goes in: none where nobody is to look."""
        progress = (self._options.progress.look,) if self._options.progress else ()
        tail = (self._tail.look,) if self._tail else ()
        if not progress and not tail:
            return {}
        if not closed & {1, 2} and are_same(1, 2):
            # One pipe for both, so that they stay in the order in which they were written.
            return {"both": Pipe((1, 2), progress + tail)}
        pipes = {}
        if 2 not in closed:
            pipes["stderr"] = Pipe((2,), progress + tail)
        if progress and 1 not in closed:
            pipes["stdout"] = Pipe((1,), progress)
        return pipes

    def _start(self, pipes: dict[str, Pipe]) -> subprocess.Popen[bytes]:
        out, err = (pipes.get(name, pipes.get("both")) for name in ("stdout", "stderr"))
        program = subprocess.Popen(
            self._command,
            stdout=out.entry if out else None,
            stderr=err.entry if err else None,
            close_fds=False,
            env=_environment(),
        )
        for pipe in pipes.values():
            pipe.start()
        # Whoever feeds the program must see when it closes its stdin, and whoever reads from it
        # when it closes its stdout. Warnings still need stderr.
        release(0)
        if out is None:
            release(1)
        return program

    def _fail_to_start(self, error: OSError) -> NoReturn:
        code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_RUNNABLE
        os.write(2, f"lamia-job: {self._command[0]}: {error.strerror}\n".encode())
        self._job.failed({"exitCode": code, "error": str(error)})
        self._job.close()
        os._exit(code)

    def _forward(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(signal.Signals(number))
        self._pass_on(signal.Signals(number))

    def _pass_on(self, number: signal.Signals) -> None:
        if self._pid is None or self._watch is None:
            return
        if number in STOPPING:
            self._watch.note(number.name)
        if not _is_typed(number):
            try:
                os.kill(self._pid, number)
            except OSError:
                pass  # it runs as another user, or has just ended

    def _tell_end(self, status: int, rusage: resource.struct_rusage, watch: Watch) -> None:
        payload: dict[str, Any] = {"usage": watch.usage.total(rusage)}
        killed = signal.Signals(os.WTERMSIG(status)) if os.WIFSIGNALED(status) else None
        if killed is not None:
            payload["signal"] = killed.name
        else:
            payload["exitCode"] = os.WEXITSTATUS(status)
        asked = [number for number in self._signals if number in STOPPING]
        if killed is not None and killed in {*self._signals, *STOPPING}:
            asked.append(killed)
        if watch.has_stopped:
            payload["stoppedBy"] = "enough"
        elif asked:
            payload["stoppedBy"] = asked[0].name
        is_stopped = "stoppedBy" in payload
        if status and not watch.has_stopped and self._tail is not None:
            payload["stderr"] = self._tail.read()
        if self._job.notices:
            payload["warnings"] = self._job.notices
        self._job.emit(
            "TERMINATED" if is_stopped else "FAILED" if status else "DONE", payload=payload
        )


def _environment() -> dict[bytes, bytes] | None:
    """Our environment as it was given to us: in the C locale Python changes a variable in it."""
    try:
        with open("/proc/self/environ", "rb") as file:
            given = [entry for entry in file.read().split(b"\0") if entry.startswith(LOCALE)]
    except OSError:
        return None
    environ = {name: value for name, value in os.environb.items() if name + b"=" != LOCALE}
    return {**environ, **{LOCALE[:-1]: entry[len(LOCALE) :] for entry in given}}


def _is_typed(number: signal.Signals) -> bool:
    """Whether a signal comes from the terminal, which gives it to the program as well."""
    if number not in (signal.SIGINT, signal.SIGQUIT):
        return False
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _end_like(status: int) -> NoReturn:
    """End this process as the program has ended."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        # The program's core is worth something, ours is not.
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
        os._exit(128 + number)
    os._exit(os.WEXITSTATUS(status))

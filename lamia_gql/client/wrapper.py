"""``lamia-job run``: a program that knows nothing of us, and a job that tells how it fares.

To whoever waits for it, and to whoever reads its output, a wrapped program is the program. It
runs in our process group, with our descriptors, limits and environment; its output goes through
us only where we have to look at it.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable, Mapping, Sequence

from lamia_gql.client.monitor import Watch
from lamia_gql.client.options import Options
from lamia_gql.client.output import Pipe, Tail, are_same, fill_gaps, release
from lamia_gql.client.program import start
from lamia_gql.client.usage import Usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import Popen
    from types import FrameType
    from typing import Any, NoReturn

    from lamia_gql.client.job import Job

STOPPING = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}
"""Signals that ask a program to end: one that does is TERMINATED, however it ends."""
FORWARDED = (*STOPPING, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU)
NOT_FOUND, NOT_RUNNABLE = 127, 126


class Wrapper:
    """One program from its start to its end.

    The job is made once the program runs: what it needs is not to hold the program up.
    """

    def __init__(
        self, make_job: Callable[[], Job], command: Sequence[str], options: Options
    ) -> None:
        self._make_job = make_job
        self._command = list(command)
        self._options = options
        self._tail = Tail(options.tail) if options.tail else None
        self._watch: Watch | None = None
        self._pid: int | None = None
        self._signals: list[signal.Signals] = []
        self._pending: list[signal.Signals] = []

    def run(self) -> NoReturn:
        """Run the program and end like it: by the same signal, or with the same exit code.

        Does not return. A program that can't be started ends as in a shell: 127 where there is
        none, else 126.
        """
        begin = time.time()
        self._catch_signals()
        pipes = self._make_pipes(fill_gaps())
        try:
            program = self._start(pipes)
        except OSError as error:
            self._fail_to_start(begin, error)
        self._pid = pid = program.pid
        self._pass_on()
        usage = Usage(pid)
        job = self._begin_job(begin)
        watch = self._watch = Watch(job, pid, usage, self._options)
        self._note_signals()
        watch.start()
        _pid, status, rusage = os.wait4(pid, 0)
        self._pid = None
        program.returncode = status  # or its finalizer would wait for a process of another
        watch.finish()
        self._finish_pipes(pipes)
        watch.tell_progress(at_end=True)
        self._tell_end(job, status, usage.total(rusage), is_enough=watch.has_stopped)
        job.close()
        _end_like(status)

    def _catch_signals(self) -> None:
        for number in FORWARDED:
            # What is ignored here is to be ignored by the program: see nohup.
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._forward)
        if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
            # Or the kernel would not keep the program's exit code for us.
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)

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

    def _start(self, pipes: dict[str, Pipe]) -> Popen[bytes]:
        try:
            for pipe in pipes.values():
                pipe.start()
        except RuntimeError:
            pipes.clear()  # there are no threads to be had: nobody looks at the output
        program = start(
            self._command,
            {target: pipe.entry for pipe in pipes.values() for target in pipe.targets},
        )
        for pipe in pipes.values():
            pipe.leave(program.pid)
        # Whoever feeds the program must see when it closes its stdin, and whoever reads from it
        # when it closes its stdout. Warnings still need stderr.
        release(0)
        if not pipes.keys() & {"stdout", "both"}:
            release(1)
        return program

    def _fail_to_start(self, begin: float, error: OSError) -> NoReturn:
        code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_RUNNABLE
        os.write(2, f"lamia-job: {self._command[0]}: {error.strerror}\n".encode())
        job = self._begin_job(begin)
        job.failed({"exitCode": code, "error": str(error)})
        job.close()
        os._exit(code)

    def _begin_job(self, begin: float) -> Job:
        job = self._make_job()
        job.emit("STARTED", payload={"program": self._command[0]}, at=begin)
        return job

    def _forward(self, number: int, _frame: FrameType | None) -> None:
        caught = signal.Signals(number)
        self._signals.append(caught)
        self._note_signals()
        if not _is_typed(caught):
            self._pending.append(caught)
            self._pass_on()

    def _pass_on(self) -> None:
        """Give the program the signals that were meant for it, once it is there."""
        while self._pid is not None and self._pending:
            try:
                os.kill(self._pid, self._pending.pop(0))
            except IndexError:
                pass  # the next signal came in between, and has passed it on
            except OSError:
                pass  # it runs as another user, or has just ended

    def _note_signals(self) -> None:
        if self._watch is not None and self._stopped_by() is not None:
            self._watch.note(str(self._stopped_by()))

    def _stopped_by(self) -> str | None:
        """The first signal that asked for the end; None without."""
        return next((number.name for number in self._signals if number in STOPPING), None)

    def _finish_pipes(self, pipes: Mapping[str, Pipe]) -> None:
        known = len(self._signals)
        for pipe in pipes.values():
            # Who asks for the program's end, or for ours after it, need not wait for its readers.
            pipe.finish(lambda: self._stopped_by() is not None or len(self._signals) > known)

    def _tell_end(self, job: Job, status: int, usage: dict[str, float], *, is_enough: bool) -> None:
        payload: dict[str, Any] = {"usage": usage}
        stopped_by = "enough" if is_enough else self._stopped_by()
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            payload["signal"] = name = _name(number)
            if number in (*self._signals, *STOPPING):
                stopped_by = stopped_by or name
        else:
            payload["exitCode"] = os.WEXITSTATUS(status)
        if stopped_by is not None:
            payload["stoppedBy"] = stopped_by
        if status and not is_enough and self._tail is not None:
            payload["stderr"] = self._tail.read()
        if job.notices:
            payload["warnings"] = job.notices
        job.emit("TERMINATED" if stopped_by else "FAILED" if status else "DONE", payload=payload)


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"  # one of the real-time signals, which have no names


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

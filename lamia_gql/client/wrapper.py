"""``lamia-job run``: runs a program and reports its events.

Callers can't tell the wrapper from the program: exit code, signals and output are the same. Once
the program runs, no error of ours ends this process: at worst nothing is reported. The
program runs in our process group, with our descriptors, limits and environment. Its output goes
through this process only if it has to be scanned.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import time
from collections.abc import Callable, Mapping, Sequence

from lamia_gql.client.descriptors import (
    are_same_file,
    occupy_closed_descriptors,
    redirect_to_null,
)
from lamia_gql.client.event_details import find_signal_name
from lamia_gql.client.monitor import ProgramMonitor
from lamia_gql.client.output import OutputPipe, OutputTail
from lamia_gql.client.program import start_program
from lamia_gql.client.program_signals import PROGRAM_SIGNALS, STOP_SIGNALS
from lamia_gql.client.run_options import RunOptions
from lamia_gql.client.usage import ResourceUsage
from lamia_gql.client.warning_log import WarningLog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import Popen
    from types import FrameType
    from typing import Any, NoReturn

    from lamia_gql.client.job import Job

ENOUGH_MESSAGE = "Stopped because the process has reached its threshold."
LATE_SIGNAL_S = 0.1
"""How long after an unsuccessful end a signal still counts: batch systems may signal the program
before they signal this process."""
EXIT_NOT_FOUND, EXIT_NOT_RUNNABLE = 127, 126
"""The exit codes of a shell that can't start a program."""


class Wrapper:
    """Runs one program from its start to its end.

    Args:
        make_job: Called after the program has started, because a job is slow to import.
        command: The program and its arguments.
        options: How the program is run and monitored.
    """

    def __init__(
        self, make_job: Callable[[], Job], command: Sequence[str], options: RunOptions
    ) -> None:
        self._make_job = make_job
        self._command = list(command)
        self._options = options
        self._tail = OutputTail(options.tail_lines) if options.tail_lines else None
        self._warnings = WarningLog()
        self._monitor: ProgramMonitor | None = None
        self._pid: int | None = None
        self._stop_signals = STOP_SIGNALS
        self._signals: list[int] = []
        self._pending: list[int] = []

    def run(self) -> NoReturn:
        """Run the program, and end as it does: by the same signal, or with the same exit code.

        Does not return. If the program can't be started, the exit code is that of a shell: 127 if
        it was not found, else 126.
        """
        begin = time.time()
        self._catch_signals()
        pipes = self._make_pipes(occupy_closed_descriptors())
        try:
            program = self._start(pipes)
        except OSError as error:
            self._fail_to_start(begin, error)
        # The writer of the program's stdin must see when the program closes it, and so must the
        # reader of its stdout. stderr stays open for warnings.
        redirect_to_null(0)
        if not pipes.keys() & {"stdout", "both"}:
            redirect_to_null(1)
        self._pid = pid = program.pid
        self._forward_pending()
        usage = ResourceUsage(pid)
        job = self._start_job(begin)
        if job is not None:
            self._monitor = ProgramMonitor(job, pid, usage, self._options)
            self._note_stop_signal()
            self._monitor.start()
        usage.wait()
        _pid, status, rusage = os.wait4(pid, 0)
        self._pid = None
        late_until = time.monotonic() + LATE_SIGNAL_S
        program.returncode = status  # else its finalizer waits for a process that reuses the id
        if self._monitor is not None:
            self._monitor.finish()
        self._finish_pipes(pipes)
        for pipe in pipes.values():
            if job is not None and pipe.problem is not None:
                job.warn("output", pipe.problem, is_temporary=True)
        if job is not None and self._monitor is not None:
            self._report_end(job, self._monitor, status, usage.total(rusage), late_until)
        _end_as(status)

    def _catch_signals(self) -> None:
        for number in PROGRAM_SIGNALS:
            # Signals that are ignored here are ignored by the program too: see nohup.
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._forward)
        if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
            # Else the kernel would discard the program's exit code.
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def _make_pipes(self, closed: set[int]) -> dict[str, OutputPipe]:
        """Return the pipes by their input; none for output that is not scanned."""
        scanner = self._options.progress_scanner
        progress = (scanner.feed,) if scanner else ()
        tail = (self._tail.feed,) if self._tail else ()
        if not progress and not tail:
            return {}
        pipes: dict[str, OutputPipe] = {}
        try:
            if not closed & {1, 2} and are_same_file(1, 2):
                # One pipe for both keeps the order in which they are written.
                pipes["both"] = OutputPipe((1, 2), progress + tail)
                return pipes
            if 2 not in closed:
                pipes["stderr"] = OutputPipe((2,), progress + tail)
            if progress and 1 not in closed:
                pipes["stdout"] = OutputPipe((1,), progress)
        except OSError:
            pass  # no more descriptors: what has no pipe is not scanned
        return pipes

    def _start(self, pipes: dict[str, OutputPipe]) -> Popen[bytes]:
        """Start the program; drops the pipes if it can't be started otherwise."""
        try:
            for pipe in pipes.values():
                pipe.start()
            program = self._start_program(pipes)
        except RuntimeError:
            pass  # the system has no thread to give
        except OSError as error:
            if not pipes or error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
        else:
            for pipe in pipes.values():
                pipe.close_write_end(program.pid)
            return program
        for pipe in pipes.values():
            pipe.discard()
        pipes.clear()
        return self._start_program(pipes)

    def _start_program(self, pipes: Mapping[str, OutputPipe]) -> Popen[bytes]:
        return start_program(
            self._command,
            {target: pipe.write_end for pipe in pipes.values() for target in pipe.targets},
        )

    def _fail_to_start(self, begin: float, error: OSError) -> NoReturn:
        is_missing = isinstance(error, FileNotFoundError)
        code = EXIT_NOT_FOUND if is_missing else EXIT_NOT_RUNNABLE
        message = f"{self._command[0]}: {error.strerror}"
        self._warnings.warn("start", message)
        job = self._start_job(begin)
        if job is not None:
            job.failed({"exitCode": code, "error": str(error)}, exit_code=code, message=message)
            job.close()
        os._exit(code)

    def _start_job(self, begin: float) -> Job | None:
        """Return the job after its STARTED, or None if nothing can be reported."""
        try:
            job = self._make_job()
            from lamia_gql.client.batch_systems import BatchJob  # slow, like the job

            self._stop_signals = STOP_SIGNALS | BatchJob(os.environ).stop_signals
            job.emit("STARTED", payload={"program": self._command[0]}, at=begin)
        except Exception as error:  # for example somebody has just replaced our own files
            self._warnings.warn("internal", f"Nothing will be sent: {error!r}.")
            return None
        return job

    def _forward(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(number)
        self._note_stop_signal()
        if not _is_from_terminal(number):
            self._pending.append(number)
            self._forward_pending()

    def _forward_pending(self) -> None:
        """Forward the signals that have arrived, if the program runs."""
        while self._pid is not None and self._pending:
            try:
                os.kill(self._pid, self._pending.pop(0))
            except IndexError:
                pass  # the handler of another signal came in between, and has forwarded it
            except OSError:
                pass  # it runs as another user, or has just ended

    def _note_stop_signal(self) -> None:
        name = self._stop_signal()
        if self._monitor is not None and name is not None:
            self._monitor.note_stop_signal(name)

    def _stop_signal(self) -> str | None:
        """Return the name of the first signal that asked the program to end, or None."""
        found = (signal.Signals(n).name for n in self._signals if n in self._stop_signals)
        return next(found, None)

    def _finish_pipes(self, pipes: Mapping[str, OutputPipe]) -> None:
        known = len(self._signals)
        for pipe in pipes.values():
            # Readers get little time after a signal that asks the program or this process to end.
            pipe.finish(lambda: self._stop_signal() is not None or len(self._signals) > known)

    def _report_end(
        self,
        job: Job,
        monitor: ProgramMonitor,
        status: int,
        usage: dict[str, float],
        late_until: float,
    ) -> None:
        """Send the end, and wait until it is sent or spooled. Never raises."""
        try:
            monitor.send_progress(at_end=True)
            is_enough = monitor.has_stopped_program
            while status and not is_enough and not self._stop_signal():
                if time.monotonic() >= late_until:
                    break
                time.sleep(LATE_SIGNAL_S / 20)
            self._send_end(job, status, usage, is_enough=is_enough)
            job.close()
        except Exception as error:
            self._warnings.warn("internal", f"The end was not sent: {error!r}.")

    def _send_end(self, job: Job, status: int, usage: dict[str, float], *, is_enough: bool) -> None:
        payload: dict[str, Any] = {"usage": usage}
        stopped_by = "enough" if is_enough else self._stop_signal()
        code = name = None
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            payload["signal"] = name = find_signal_name(number)
            if number in (*self._signals, *self._stop_signals):
                stopped_by = stopped_by or name
        else:
            payload["exitCode"] = code = os.WEXITSTATUS(status)
        message = ""
        if stopped_by is not None:
            payload["stoppedBy"] = stopped_by
            message = ENOUGH_MESSAGE if is_enough else f"Stopped by {stopped_by}."
        if status and not is_enough and self._tail is not None:
            payload["stderr"] = self._tail.read()
            message = self._tail.last_line() or message
        if job.warnings:
            payload["warnings"] = job.warnings
        job.emit(
            "TERMINATED" if stopped_by else "FAILED" if status else "DONE",
            payload=payload,
            exit_code=code,
            signal=name,
            message=message,
            usage=usage,
        )


def _is_from_terminal(number: int) -> bool:
    """Whether a signal comes from the terminal, which sends it to the program as well."""
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


def _end_as(status: int) -> NoReturn:
    """End this process by the same signal as the program, or with the same exit code."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        # The core dump of the program is useful, ours is not.
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
        os._exit(128 + number)
    os._exit(os.WEXITSTATUS(status))

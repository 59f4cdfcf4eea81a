"""Monitors a running program: sends beats and progress, and stops it when it is enough."""

from __future__ import annotations

import os
import signal
import threading
import time

from lamia_gql.client.run_options import RunOptions
from lamia_gql.client.usage import ResourceUsage, find_process_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamia_gql.client.job import Job

CHECK_INTERVAL_S = 0.25
EARLY_END_AFTER_S = 3.0
"""How long after a signal that asks it to end a program is waited for. Then TERMINATED is sent
although it still runs, because the batch system may kill this process next."""
KILL_AFTER_S = 30.0
"""How long a program has to end when it is enough, before it is killed."""


class ProgramMonitor:
    """A thread that monitors one program.

    Args:
        job: Sends the events.
        pid: The process id of the program.
        usage: Measures the program.
        options: The beat interval, where progress comes from, and whether to stop when enough.
    """

    def __init__(self, job: Job, pid: int, usage: ResourceUsage, options: RunOptions) -> None:
        self.has_stopped_program = False
        """Whether the program was asked to end because it is enough."""
        self._job = job
        self._pid = pid
        self._usage = usage
        self._options = options
        self._last_progress: float | None = None
        self._ended = threading.Event()
        self._stop_signal = ""
        self._stop_signal_at = 0.0
        self._thread = threading.Thread(target=self._run, name="lamia-monitor", daemon=True)

    def start(self) -> None:
        """Start the thread; if the system has none to give, the program is not monitored."""
        try:
            self._thread.start()
        except RuntimeError:
            pass

    def finish(self) -> None:
        """Stop after the program has ended, so that no signal goes to a reused process id."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def note_stop_signal(self, name: str) -> None:
        """Note that the program was asked to end by this signal; only the first one counts."""
        if not self._stop_signal:
            self._stop_signal_at = time.monotonic()
            self._stop_signal = name

    def send_progress(self, *, at_end: bool = False) -> None:
        """Send the latest progress in the output, if it has changed.

        ``at_end`` also searches what is left of it.
        """
        scanner = self._options.progress_scanner
        if scanner is None:
            return
        if at_end:
            scanner.finish()
        value = scanner.take()
        if value is not None and value != self._last_progress:
            self._last_progress = value
            self._job.progress(value)
        if scanner.failure is not None:
            text = f"{scanner.failure} No more progress is reported."
            self._job.warn("search", text, is_temporary=not scanner.is_pattern_bad)

    def _run(self) -> None:
        begin = time.monotonic()
        beat_interval = self._options.beat_interval
        progress_interval = max(1.0, beat_interval / 10)
        next_beat, next_progress = begin + beat_interval, begin + CHECK_INTERVAL_S
        kill_at, has_sent_early_end = float("inf"), False
        while not self._ended.wait(CHECK_INTERVAL_S):
            now = time.monotonic()
            if self._options.stop_when_enough and self._job.enough and not self.has_stopped_program:
                self.has_stopped_program = True
                kill_at = now + KILL_AFTER_S
                self._signal_tree(signal.SIGTERM)
            if now >= kill_at:
                self._signal_tree(signal.SIGKILL)
            is_overdue = self._stop_signal and now >= self._stop_signal_at + EARLY_END_AFTER_S
            if is_overdue and not has_sent_early_end:
                has_sent_early_end = True
                self._job.terminated(
                    {"stoppedBy": self._stop_signal, "stillRuns": True},
                    message=f"Asked to end by {self._stop_signal}, and still running.",
                    usage=self._usage.measure(),
                )
            if now >= next_progress:
                next_progress = now + progress_interval
                self.send_progress()
            if now >= next_beat:
                next_beat = max(now, next_beat + beat_interval)
                usage = self._usage.measure()
                self._job.beat({"usage": usage}, usage=usage)

    def _signal_tree(self, number: signal.Signals) -> None:
        """Send a signal to the program and all its descendants, because shells pass none on.

        All are stopped first, because a stopped process starts no others that would be missed.
        The program comes last. On a busy machine it may not have stopped yet, and then the signal
        ends it at once: nobody else may still be stopped when this process ends, too.
        """
        stopped: list[int] = []
        while new := [pid for pid in find_process_tree(self._pid) if pid not in stopped]:
            self._send_signal(new, signal.SIGSTOP)
            stopped += new
        for pids in (stopped[:0:-1], stopped[:1]):
            self._send_signal(pids, number)
            self._send_signal(pids, signal.SIGCONT)

    def _send_signal(self, pids: list[int], number: signal.Signals) -> None:
        for pid in pids:
            try:
                # The program's id may be another one's as soon as it has ended.
                if pid != self._pid or not self._ended.is_set():
                    os.kill(pid, number)
            except OSError:
                pass  # it has ended by itself

"""Looks after a running program: beats, progress, and its end once it is enough."""

from __future__ import annotations

import os
import signal
import threading
import time

from lamia_gql.client.options import Options
from lamia_gql.client.usage import Usage, family

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamia_gql.client.job import Job

TICK = 0.25
"""Seconds between looks."""
LAST_WORD = 3.0
"""Seconds after it was asked to end for which the end of a program is waited for; then it is
told TERMINATED while it still runs, because the batch system may kill us next."""
GRACE = 30.0
"""Seconds that a program has to end once it is enough, before it is killed."""


class Watch:
    """A thread beside a program."""

    def __init__(self, job: Job, pid: int, usage: Usage, options: Options) -> None:
        self.has_stopped = False
        """Whether the program was asked to end because it is enough."""
        self._job = job
        self._pid = pid
        self._usage = usage
        self._options = options
        self._told: float | None = None
        self._ended = threading.Event()
        self._asked_by = ""
        self._asked_at = 0.0
        self._thread = threading.Thread(target=self._run, name="lamia-watch", daemon=True)

    def start(self) -> None:
        """Begin; where no threads are to be had, nobody looks."""
        try:
            self._thread.start()
        except RuntimeError:
            pass

    def finish(self) -> None:
        """The program has ended: no signal for whoever has its number next, no beat after it."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def note(self, name: str) -> None:
        """The program was asked to end, by a signal of this name."""
        if not self._asked_by:
            self._asked_at = time.monotonic()
            self._asked_by = name

    def tell_progress(self, *, at_end: bool = False) -> None:
        """Tell what the output says of progress, if that is news."""
        if self._options.progress is not None:
            value = self._options.progress.take(at_end=at_end)
            if value is not None and value != self._told:
                self._told = value
                self._job.progress(value)

    def _run(self) -> None:
        begin = time.monotonic()
        step = max(1.0, self._options.beat / 10)
        next_beat, next_progress = begin + self._options.beat, begin + TICK
        kill_at, last_word = float("inf"), False
        while not self._ended.wait(TICK):
            now = time.monotonic()
            if self._options.stop_when_enough and self._job.enough and not self.has_stopped:
                self.has_stopped = True
                kill_at = now + GRACE
                self._signal(signal.SIGTERM)
            if now >= kill_at:
                self._signal(signal.SIGKILL)
            if self._asked_by and not last_word and now >= self._asked_at + LAST_WORD:
                last_word = True
                self._job.terminated({"stoppedBy": self._asked_by, "stillRuns": True})
            if now >= next_progress:
                next_progress = now + step
                self.tell_progress()
            if now >= next_beat:
                next_beat = max(now, next_beat + self._options.beat)
                self._job.beat({"usage": self._usage.now()})

    def _signal(self, number: signal.Signals) -> None:
        """Give a signal to the program and to all that it has started: a shell passes none on.

        All are held first, since who is held starts nobody that would be missed. The program is
        let go last: it is the one whose end is waited for, and nobody is signalled after it.
        """
        held: list[int] = []
        while new := [pid for pid in family(self._pid) if pid not in held]:
            self._kill(new, signal.SIGSTOP)
            held += new
        self._kill(held[::-1], number)
        self._kill(held[::-1], signal.SIGCONT)

    def _kill(self, pids: list[int], number: signal.Signals) -> None:
        for pid in pids:
            try:
                if not self._ended.is_set():
                    os.kill(pid, number)
            except OSError:
                pass  # it has ended by itself

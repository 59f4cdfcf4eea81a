"""A program's output on its way to where it would have gone without us."""

from __future__ import annotations

import errno
import math
import os
import re
import select
import sys
import threading
import time
from collections.abc import Callable

CHUNK = 256 * 1024
MOST_AFTER_END = 1024 * 1024
"""Bytes that a pipe can hold: as much as the program itself may have left in it."""
ENDING = 0.2
"""Seconds between the end of a program's output and its own end, where they are the same."""
HURRY = 2.0
"""Seconds that readers have for what is left where the batch system has asked for the end."""
LONGEST_TAIL = 8 * 1024
"""Bytes of the last lines that are kept: JSON makes six of some, and servers take 64 KiB."""
LONGEST_LINE = 64 * 1024
UNREAD = 256 * 1024
"""Bytes after which output is looked through for progress."""
COPY = """
import os
while True:
    data = memoryview(os.read(0, 262144))
    if not data:
        break
    while data:
        data = data[os.write(1, data):]
"""
"""What goes on copying for daemons that the program has left behind."""

Look = Callable[[bytes], None]


class Pipe:
    """Copies what a program writes, in a thread, and lets others look at it."""

    def __init__(self, targets: tuple[int, ...], looks: tuple[Look, ...]) -> None:
        self._source, self.entry = os.pipe()
        self.targets = targets
        self._looks = looks
        self._wake_read, self._wake = os.pipe()
        self._thread = threading.Thread(target=self._copy, name="lamia-output", daemon=True)
        self._left = False
        self._pid = 0

    def start(self) -> None:
        """Begin to copy."""
        self._thread.start()

    def leave(self, pid: int) -> None:
        """Leave the entry to the program, which has got it by now."""
        self._pid = pid
        os.close(self.entry)

    def finish(self, is_hurried: Callable[[], bool]) -> None:
        """Copy what the program has left in the pipe, after its end.

        Where somebody else still holds the pipe, a daemon that it has started, a small process
        goes on copying for it, as the file itself would have done. Waits for whoever reads our
        output, like the program would have; not for long once we are hurried.
        """
        os.close(self._wake)
        deadline = float("inf")
        while self._thread.is_alive() and time.monotonic() < deadline:
            if is_hurried():
                deadline = min(deadline, time.monotonic() + HURRY)
            self._thread.join(0.1)
        if not self._left:
            return
        import subprocess

        helper = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", COPY],
            stdin=self._source,
            stdout=self.targets[0],
            stderr=subprocess.DEVNULL,
        )
        # It outlives us: nobody is to wait for it.
        helper.returncode = 0

    def _copy(self) -> None:
        try:
            self._copy_until_end()
        except OSError:
            # Whoever reads has gone, or the disk is full: the program finds a broken pipe.
            os.close(self._source)

    def _copy_until_end(self) -> None:
        poll = select.poll()
        poll.register(self._source, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        has_ended, after_end = False, 0
        while True:
            ready = dict(poll.poll(0 if has_ended else None))
            if not has_ended and self._wake_read in ready:
                has_ended = True
                poll.unregister(self._wake_read)
                continue
            if self._source not in ready or after_end >= MOST_AFTER_END:
                self._left = True
                return
            data = os.read(self._source, CHUNK)
            if not data:
                self._close(has_ended)
                return
            after_end += len(data) if has_ended else 0
            _write(self.targets[0], data)
            for look in self._looks:
                try:
                    look(data)
                except Exception:  # the program's output is worth more than what we see in it
                    self._looks = ()

    def _close(self, has_ended: bool) -> None:
        """Hold nothing open that the program has closed: somebody may wait for its end.

        If it has closed it by ending, so shall we, in a moment, and may have to say something.
        """
        os.close(self._source)
        if has_ended or select.select([self._wake_read], [], [], ENDING)[0] or self._has_ended():
            return
        for target in self.targets:
            release(target)

    def _has_ended(self) -> bool:
        """Whether the program is no more, though nobody may have waited for it yet."""
        try:
            flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self._pid, flags) is not None
        except ChildProcessError:
            return True
        except (AttributeError, OSError):
            return False  # this system does not tell


class Tail:
    """The last lines of what goes by."""

    def __init__(self, lines: int) -> None:
        self._lines = lines
        self._kept = b""

    def look(self, data: bytes) -> None:
        """See what goes by."""
        self._kept = (self._kept + data[-LONGEST_TAIL:])[-LONGEST_TAIL:]

    def read(self) -> list[str]:
        """The lines."""
        return self._kept.decode("utf-8", "replace").splitlines()[-self._lines :]


class Reading:
    """The latest number that a pattern finds in the lines that go by.

    A line ends with a line feed or, like those of progress bars, with a carriage return. The
    number is the pattern's first group, or all that it matches where it has none.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = re.compile(pattern.encode(), re.MULTILINE)
        self._group = 1 if self._pattern.groups else 0
        self._lock = threading.Lock()
        self._unread = b""
        self._value: float | None = None

    def look(self, data: bytes) -> None:
        """See what goes by."""
        with self._lock:
            self._unread += data
            if len(self._unread) >= UNREAD:
                self._scan()

    def take(self, *, at_end: bool = False) -> float | None:
        """The latest number since the last call; None without. At the end also of half a line."""
        with self._lock:
            if at_end:
                self._unread += b"\n"
            self._scan()
            value, self._value = self._value, None
            return value

    def _scan(self) -> None:
        text = self._unread.replace(b"\r", b"\n")
        lines, _, rest = text.rpartition(b"\n")
        self._unread = rest[-LONGEST_LINE:]
        for match in self._pattern.finditer(lines):
            try:
                value = float(match[self._group])
            except (TypeError, ValueError):
                continue  # no number, or a group that is not in this match
            if math.isfinite(value) and value >= 0:
                self._value = value


def fill_gaps() -> set[int]:
    """The standard descriptors that are closed, now kept from being anything else's.

    For the program they stay closed.
    """
    closed = set()
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            closed.add(os.open(os.devnull, os.O_RDWR))
    return closed


def are_same(one: int, other: int) -> bool:
    """Whether two descriptors lead to the same place, so that the order between them matters."""
    try:
        return os.path.samestat(os.fstat(one), os.fstat(other))
    except OSError:
        return False


def release(target: int) -> None:
    """Let go of a descriptor, but keep its number taken."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, target)
    os.close(nothing)


def _write(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(target, view) :]
        except OSError as error:
            if error.errno != errno.EAGAIN:
                raise
            # Somebody who shares it has made it non-blocking.
            select.select([], [target], [])

"""Copies a program's output to where it would go without us, and shows it to observers."""

from __future__ import annotations

import errno
import os
import select
import sys
import threading
import time
from collections.abc import Callable

from lamia_gql.client.descriptors import open_null, redirect_to_null
from lamia_gql.client.event_details import clean_message

CHUNK_BYTES = 256 * 1024
MAX_BYTES_AFTER_EXIT = 1024 * 1024
"""How much is read after the program's end: a pipe can't hold more of the program's own output."""
EXIT_DELAY_S = 0.2
"""A program that ends within this time after its output was closed has closed it by ending."""
HURRIED_DRAIN_S = 2.0
"""How long readers have for the remaining output when the batch system has asked for the end."""
MAX_TAIL_BYTES = 8 * 1024
"""How much of the last lines is kept: JSON may need six bytes for one, and servers take 64 KiB."""
SIGNALLED_ERRNOS = (errno.EPIPE, errno.EFBIG)
"""Errors of a write that the kernel tells a program by a signal, which ends it."""
COPY_SCRIPT = """
import os, select, sys
while True:
    data = memoryview(os.read(0, 262144))
    if not data:
        break
    while data:
        try:
            data = data[os.write(1, data):]
        except BlockingIOError:
            select.select([], [1], [])
        except OSError as error:
            if not sys.argv[1:] or str(error.errno) in sys.argv[1:]:
                raise
            break
"""
"""Keeps copying the output of daemons that the program has left behind, until an error of these
numbers; of any number if none is given."""

Observer = Callable[[bytes], None]
"""Gets every chunk of output."""


class OutputPipe:
    """Copies what a program writes, in a thread, and shows it to observers.

    Args:
        targets: The descriptors that the pipe replaces; output is copied to the first one.
        observers: Called with every chunk; one that raises ends them all, but not the copying.

    Raises OSError if there are no more descriptors.
    """

    def __init__(self, targets: tuple[int, ...], observers: tuple[Observer, ...]) -> None:
        self._read_end, self.write_end = os.pipe()
        try:
            self._wake_read, self._wake_write = os.pipe()
        except OSError:
            os.close(self._read_end)
            os.close(self.write_end)
            raise
        self.targets = targets
        self.problem: str | None = None
        """Why output could not be written, for the user; None if it was, or nobody reads it."""
        # A full disk ends no program that only writes messages to it. But what may be results must
        # not be incomplete without anybody noticing.
        self._fatal_errnos = () if targets == (1,) else SIGNALLED_ERRNOS
        """The errors of a write that the program has to notice; any if there is none."""
        self._observers = observers
        self._thread = threading.Thread(target=self._copy, name="lamia-output", daemon=True)
        self._has_other_writers = False
        self._pid = 0

    def start(self) -> None:
        """Start to copy. Raises RuntimeError if the system has no thread to give."""
        self._thread.start()

    def discard(self) -> None:
        """Close it before anything was written; the targets stay open."""
        os.close(self._wake_write)
        if self._thread.is_alive():
            self._thread.join()
        for descriptor in (self._wake_read, self._read_end, self.write_end):
            os.close(descriptor)

    def close_write_end(self, pid: int) -> None:
        """Close our copy of the write end, after the program with this pid has inherited it."""
        self._pid = pid
        os.close(self.write_end)

    def finish(self, is_hurried: Callable[[], bool]) -> None:
        """Copy what is left in the pipe after the program's end.

        If another process still holds the pipe, such as a daemon that the program has started, a
        small process goes on copying for it. Waits for the reader of our output, as the program
        would have done; only for a short time once ``is_hurried`` returns true.
        """
        os.close(self._wake_write)
        deadline = float("inf")
        while self._thread.is_alive() and time.monotonic() < deadline:
            if is_hurried():
                deadline = min(deadline, time.monotonic() + HURRIED_DRAIN_S)
            self._thread.join(0.1)
        if not self._has_other_writers:
            return
        import subprocess

        try:
            null = open_null()
            helper = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", COPY_SCRIPT, *map(str, self._fatal_errnos)],
                stdin=self._read_end,
                stdout=self.targets[0],
                stderr=null,
            )
        except OSError:
            return  # no more processes, or no Python any more: the other one gets a broken pipe
        os.close(null)
        # It outlives this process, so nobody waits for it.
        helper.returncode = 0

    def _copy(self) -> None:
        try:
            self._copy_until_end()
        except OSError:
            # The program gets a broken pipe.
            os.close(self._read_end)

    def _copy_until_end(self) -> None:
        poll = select.poll()
        poll.register(self._read_end, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        has_ended, bytes_after_exit = False, 0
        while True:
            ready = dict(poll.poll(0 if has_ended else None))
            if not has_ended and self._wake_read in ready:
                has_ended = True
                poll.unregister(self._wake_read)
                continue
            if self._read_end not in ready or bytes_after_exit >= MAX_BYTES_AFTER_EXIT:
                self._has_other_writers = True
                return
            data = os.read(self._read_end, CHUNK_BYTES)
            if not data:
                self._close(has_ended)
                return
            bytes_after_exit += len(data) if has_ended else 0
            self._write(data)
            for observe in self._observers:
                try:
                    observe(data)
                except Exception:  # copying matters more than observing
                    self._observers = ()

    def _write(self, data: bytes) -> None:
        """Write output. Raises OSError if the program has to notice that this is not possible."""
        try:
            _write(self.targets[0], data)
        except OSError as error:
            if error.errno != errno.EPIPE:
                self.problem = f"Output is lost: {error.strerror}."
            if not self._fatal_errnos or error.errno in self._fatal_errnos:
                raise

    def _close(self, has_ended: bool) -> None:
        """Close the targets that the program has closed, because a reader may wait for that.

        If the program has closed them by ending they stay open, since this process ends soon too,
        and may have to print something before.
        """
        os.close(self._read_end)
        if has_ended or select.select([self._wake_read], [], [], EXIT_DELAY_S)[0]:
            return
        if self._has_exited():
            return
        for target in self.targets:
            redirect_to_null(target)

    def _has_exited(self) -> bool:
        """Whether the program has exited, even if nobody has waited for it yet."""
        try:
            flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self._pid, flags) is not None
        except ChildProcessError:
            return True
        except (AttributeError, OSError):
            return False  # this system can't tell


class OutputTail:
    """Keeps the last lines of an output."""

    def __init__(self, lines: int) -> None:
        self._lines = lines
        self._kept = b""

    def feed(self, data: bytes) -> None:
        """Add the next chunk of output."""
        self._kept = (self._kept + data[-MAX_TAIL_BYTES:])[-MAX_TAIL_BYTES:]

    def read(self) -> list[str]:
        """Return the last lines, at most 8 KiB of them."""
        return self._kept.decode("utf-8", "replace").splitlines()[-self._lines :]

    def last_line(self) -> str:
        """Return the last line with anything in it, without what is meant for a terminal."""
        lines = (clean_message(line) for line in reversed(self.read()))
        return next(filter(None, lines), "")


def _write(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(target, view) :]
        except OSError as error:
            if error.errno != errno.EAGAIN:
                raise
            # Another process that shares the file has made it non-blocking.
            select.select([], [target], [])

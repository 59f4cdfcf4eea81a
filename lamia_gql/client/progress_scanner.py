"""Finds progress in a program's output, without ever holding that up."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence

from lamia_gql.client.descriptors import open_null
from lamia_gql.client.program_signals import PROGRAM_SIGNALS
from lamia_gql.client.progress_search import CONTINUES, FOLLOWS_GAP, HEADER_BYTES, IS_LAST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import Popen

BLOCK_BYTES = 64 * 1024
"""How much output is searched at once."""
MAX_WAITING_BYTES = 1024 * 1024
"""How much output waits to be searched; then the oldest is skipped."""
COLLECT_S = 0.2
"""How long output is collected before it is searched, if it is less than a block."""
IDLE_FACTOR = 4.0
"""How much longer than a search took the next one waits, so that the program keeps its CPU time."""
FINISH_TIMEOUT_S = 2.0
"""How long the last search may take after the program's end."""
SEARCH = (
    "import sys; sys.path.insert(0, sys.argv[1]);"
    " from lamia_gql.client.progress_search import main; main()"
)


class ProgressScanner:
    """Finds the latest progress in the lines of an output by a regular expression. Thread-safe.

    The search runs in a process of its own, which starts with the first output; no method waits
    for it but :meth:`finish`. Of more output than it manages, the oldest is skipped. A pattern
    that takes too long is given up: see :attr:`failure`.

    Args:
        pattern: The regular expression. Raises :class:`re.error` if it is none, and ValueError if
            it is not valid Unicode.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern.encode()
        re.compile(self._pattern)
        self._package = os.path.abspath(os.path.join(__file__, "..", "..", ".."))
        self._changed = threading.Condition()
        self._chunks: deque[bytearray] = deque()
        self._waiting_bytes = 0
        self._has_gap = False
        self._is_finishing = False
        self._has_returned_last = False
        self._value: float | None = None
        self._process: Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self.failure: str | None = None
        """Why the search was given up, a sentence for the user; None while it works."""
        self.is_pattern_bad = False
        """Whether it was given up because the pattern takes too long."""

    def feed(self, data: bytes) -> None:
        """Add the next chunk of output."""
        with self._changed:
            if self.failure is not None:
                return
            before = self._waiting_bytes
            if self._chunks and len(self._chunks[-1]) + len(data) <= BLOCK_BYTES:
                self._chunks[-1] += data
            else:
                self._chunks.append(bytearray(data))
            self._waiting_bytes += len(data)
            while self._waiting_bytes > MAX_WAITING_BYTES and len(self._chunks) > 1:
                self._waiting_bytes -= len(self._chunks.popleft())
                self._has_gap = True
            if self._thread is None:
                self._start_thread()
            # Each time would cost a program that writes little at once too much.
            if not before or before < BLOCK_BYTES <= self._waiting_bytes:
                self._changed.notify_all()

    def take(self) -> float | None:
        """Return the latest number that was found since the last call, or None."""
        with self._changed:
            value, self._value = self._value, None
            return value

    def finish(self) -> None:
        """Search the rest of the output, also a last line that is not terminated; then stop.

        Takes two seconds at most.
        """
        with self._changed:
            self._is_finishing = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(FINISH_TIMEOUT_S)
            if thread.is_alive():
                self._fail("it has not finished in time")
        process = self._process
        if process is not None:
            process.kill()  # the thread waits for it

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._run, name="lamia-progress", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self.failure = "The output is not searched for progress: there are no more threads."
        else:
            self._thread = thread

    def _run(self) -> None:
        try:
            self._search()
        except Exception as error:
            self._fail(str(error) or repr(error))

    def _fail(self, reason: str, *, is_pattern_bad: bool = False) -> None:
        with self._changed:
            self._chunks.clear()
            self._waiting_bytes = 0
            if self.failure is None:
                self.is_pattern_bad = is_pattern_bad
                self.failure = f"The search for progress has ended: {reason}."

    def _search(self) -> None:
        process = self._process = self._start_process()
        try:
            self._search_blocks(process)
        finally:
            _close(process)

    def _search_blocks(self, process: Popen[bytes]) -> None:
        seconds: float | None = None
        while (block := self._next_block(seconds)) is not None:
            blocks = [block] if seconds is not None else [self._pattern, block]
            answer = _ask(process, blocks).split()
            if not answer:
                status = process.wait()
                if status == -signal.SIGPROF:
                    self._fail(
                        "the pattern of --progress-regex takes too long", is_pattern_bad=True
                    )
                self._fail(f"its process has ended with status {status}")
                return
            seconds = float(answer[0])
            if len(answer) > 1:
                with self._changed:
                    self._value = float(answer[1])

    def _start_process(self) -> Popen[bytes]:
        import subprocess

        # Inherited by the process, and this thread handles no signals. Those to the process group
        # are for the program.
        signal.pthread_sigmask(signal.SIG_BLOCK, PROGRAM_SIGNALS)
        null = open_null()
        try:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", SEARCH, self._package],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=null,
                cwd="/",
            )
        finally:
            os.close(null)

    def _next_block(self, last_seconds: float | None) -> bytes | None:
        """Wait for output, and return a block of it with its flags; None after the last one.

        Args:
            last_seconds: The CPU time of the last search; None before the first.
        """
        idle_until = time.monotonic() + IDLE_FACTOR * (last_seconds or 0.0)
        with self._changed:
            while not self._chunks and not self._is_finishing:
                self._changed.wait()
            collect_until = time.monotonic() + COLLECT_S
            while not self._is_finishing:
                is_block = self._waiting_bytes >= BLOCK_BYTES
                delay = idle_until if is_block else max(idle_until, collect_until)
                delay -= time.monotonic()
                if delay <= 0:
                    break
                self._changed.wait(delay)
            if self._has_returned_last:
                return None
            return self._take_block()

    def _take_block(self) -> bytes:
        content = bytearray()
        while self._chunks and len(content) < BLOCK_BYTES:
            content += self._chunks.popleft()
        rest = content[BLOCK_BYTES:]
        if rest:
            self._chunks.appendleft(rest)
        content = content[:BLOCK_BYTES]
        self._waiting_bytes -= len(content)
        flags = FOLLOWS_GAP if self._has_gap else CONTINUES
        self._has_gap = False
        if self._is_finishing and not self._chunks:
            self._has_returned_last = True
            flags |= IS_LAST
        return bytes([flags]) + content


def _ask(process: Popen[bytes], blocks: Sequence[bytes]) -> bytes:
    """Send blocks to the search, and return its answer to the last one; empty if it has ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        for content in blocks:
            process.stdin.write(len(content).to_bytes(HEADER_BYTES, "big") + content)
            process.stdin.flush()
    except BrokenPipeError:
        return b""
    return process.stdout.readline()


def _close(process: Popen[bytes]) -> None:
    """End the search and close its pipes."""
    process.kill()
    for file in (process.stdin, process.stdout):
        try:
            if file is not None:
                file.close()
        except BrokenPipeError:
            pass  # it has ended before it has read all
    process.wait()

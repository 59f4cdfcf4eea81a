"""Searches a program's output for progress, in a process of its own: see ``progress_scanner``.

Python's ``re`` can't be interrupted, and blocks all threads of its process. Here it blocks nobody,
and the kernel ends this process when a search takes too much CPU time.
"""

from __future__ import annotations

import math
import os
import re
import signal
import sys
import time

MAX_LINE_BYTES = 4 * 1024
"""How much of the end of a line is searched."""
MAX_SEARCH_CPU_S = 1.0
"""The CPU time for one block of output."""
NICENESS = 10
"""How much this process steps back for the program."""
PRESETS = {
    # The outermost of nested bars: after the others the cursor moves up again.
    "tqdm": r"^(?!.*\x1b\[A).*(?<!\d)(\d{1,3})%(?:\|| +[\d.]+[kMGT]?/)",
}
"""The patterns of well-known progress bars, all of which show a percentage."""
HEADER_BYTES = 4
CONTINUES, FOLLOWS_GAP, IS_LAST = 0, 1, 2
"""The first byte of a block, a sum: is output before it missing, and is it the last one."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO


class LineSearch:
    """Finds the latest number in lines, by a regular expression.

    The number is the pattern's first group, or the whole match if it has none.

    Args:
        pattern: The regular expression. Raises :class:`re.error` if it is none.
    """

    def __init__(self, pattern: bytes) -> None:
        self._pattern = re.compile(pattern, re.MULTILINE)
        self._group = 1 if self._pattern.groups else 0
        self._rest = b""
        self._is_cut = False
        """Whether the beginning of ``_rest`` is missing."""

    def find(self, block: bytes, flags: int = CONTINUES) -> float | None:
        """Return the latest number in a block of output, or None.

        A line ends with a line feed or, as in progress bars, with a carriage return. The last line
        is kept for the next block, if this is not the last one.
        """
        if flags & FOLLOWS_GAP:
            self._rest, self._is_cut = b"", True
        lines = (self._rest + block).replace(b"\r", b"\n").split(b"\n")
        first_is_cut = self._is_cut
        if not flags & IS_LAST:
            rest = lines.pop()
            self._is_cut = len(rest) > MAX_LINE_BYTES or (not lines and first_is_cut)
            self._rest = rest[-MAX_LINE_BYTES:]
        for number in range(len(lines) - 1, -1, -1):
            value = self._find_in_line(lines[number], is_cut=first_is_cut and number == 0)
            if value is not None:
                return value
        return None

    def _find_in_line(self, line: bytes, *, is_cut: bool) -> float | None:
        if is_cut or len(line) > MAX_LINE_BYTES:
            # The line may be cut in the middle of a number.
            line = line[-MAX_LINE_BYTES:].lstrip(b"0123456789.")
        latest = None
        for match in self._pattern.finditer(line + b"\n"):
            try:
                value = float(match[self._group])
            except (TypeError, ValueError):
                continue  # not a number, or a group that did not take part in the match
            if math.isfinite(value) and value >= 0:
                latest = value
        return latest


def main() -> None:
    """Read a pattern and blocks of output from stdin; print the number of each, or an empty line.

    Before each, prints the CPU time in seconds that it took.
    """
    os.nice(NICENESS)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGPROF})
    source = sys.stdin.buffer
    search = LineSearch(_read_block(source) or b"")
    while (content := _read_block(source)) is not None:
        begin = time.process_time()
        # Nothing catches the signal, so it ends this process, also within a search.
        signal.setitimer(signal.ITIMER_PROF, MAX_SEARCH_CPU_S)
        value = search.find(content[1:], content[0])
        signal.setitimer(signal.ITIMER_PROF, 0)
        seconds = time.process_time() - begin
        print(f"{seconds:.6f}", "" if value is None else repr(value), flush=True)  # noqa: T201


def _read_block(source: BinaryIO) -> bytes | None:
    header = source.read(HEADER_BYTES)
    return source.read(int.from_bytes(header, "big")) if len(header) == HEADER_BYTES else None

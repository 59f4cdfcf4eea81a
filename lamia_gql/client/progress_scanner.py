"""Finds progress in a program's output."""

from __future__ import annotations

import math
import re
import threading

MAX_LINE_BYTES = 64 * 1024
"""How much of an unfinished line is kept."""
SCAN_BYTES = 256 * 1024
"""How much output is collected before it is scanned for progress."""


class ProgressScanner:
    """Finds the latest progress in the lines of an output by a regular expression. Thread-safe.

    A line ends with a line feed or, as in progress bars, with a carriage return. The progress is
    the pattern's first group, or the whole match if it has none. Raises :class:`re.error`.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = re.compile(pattern.encode(), re.MULTILINE)
        self._group = 1 if self._pattern.groups else 0
        self._lock = threading.Lock()
        self._unscanned = b""
        self._value: float | None = None

    def feed(self, data: bytes) -> None:
        """Add the next chunk of output."""
        with self._lock:
            self._unscanned += data
            if len(self._unscanned) >= SCAN_BYTES:
                self._scan()

    def take(self, *, at_end: bool = False) -> float | None:
        """Return the latest number since the last call, or None.

        ``at_end`` also scans a last line that is not terminated.
        """
        with self._lock:
            if at_end:
                self._unscanned += b"\n"
            self._scan()
            value, self._value = self._value, None
            return value

    def _scan(self) -> None:
        text = self._unscanned.replace(b"\r", b"\n")
        lines, _, rest = text.rpartition(b"\n")
        self._unscanned = rest[-MAX_LINE_BYTES:]
        for match in self._pattern.finditer(lines):
            try:
                value = float(match[self._group])
            except (TypeError, ValueError):
                continue  # not a number, or a group that did not take part in the match
            if math.isfinite(value) and value >= 0:
                self._value = value

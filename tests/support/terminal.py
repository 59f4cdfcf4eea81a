"""A program in a pseudo-terminal, and what it shows there."""

from __future__ import annotations

import copy
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import pyte

from tests.support.harness import environment_with
from tests.support.waiting import until

ALTERNATE_SCREEN = 1049
TIMEOUT_S = 30.0


class _Screen(pyte.Screen):
    """pyte's screen lacks the alternate one, which full-screen programs use."""

    kept: Any = None

    def set_mode(self, *modes: int, **options: Any) -> None:
        super().set_mode(*modes, **options)
        if options.get("private") and ALTERNATE_SCREEN in modes:
            self.kept = copy.deepcopy(self.buffer), copy.copy(self.cursor)
            self.erase_in_display(2)

    def reset_mode(self, *modes: int, **options: Any) -> None:
        super().reset_mode(*modes, **options)
        if options.get("private") and ALTERNATE_SCREEN in modes and self.kept:
            (buffer, self.cursor), self.kept = self.kept, None
            self.buffer.clear()
            self.buffer.update(buffer)
            self.dirty.update(range(self.lines))


def _environment() -> dict[str, str]:
    """That of a shell in a terminal, without the size that parallel tests are told to have."""
    kept = {
        name: value
        for name, value in environment_with({}).items()
        if name not in ("COLUMNS", "LINES")
    }
    return kept | {"TERM": "xterm-256color"}


class Terminal:
    """A pseudo-terminal with `python -m lamia_gql` in it: a context manager.

    Args:
        arguments: The command and its arguments.
        columns: The width.
        rows: The height.
    """

    def __init__(self, *arguments: str, columns: int = 120, rows: int = 30) -> None:
        self.screen = _Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self._ours, theirs = pty.openpty()
        self._set_size(columns, rows)
        self.program = subprocess.Popen(
            [sys.executable, "-m", "lamia_gql", *arguments],
            env=_environment(),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            preexec_fn=lambda: _control(theirs),
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.program.kill()
        self.program.wait()
        os.close(self._ours)

    def press(self, keys: str) -> None:
        """Send what the terminal sends for keys."""
        os.write(self._ours, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Change the size; the program hears of it."""
        self.text()
        self.screen.resize(rows, columns)
        self._set_size(columns, rows)

    def waits_for_lines(self) -> bool:
        """Whether programs get lines, as in a shell, and not single keys."""
        return bool(termios.tcgetattr(self._ours)[3] & termios.ICANON)

    def text(self) -> str:
        """The current screen, without trailing blanks."""
        while select.select([self._ours], [], [], 0.05)[0]:
            try:
                data = os.read(self._ours, 65536)
            except OSError:
                break
            if not data:
                break
            self._stream.feed(data)
        return "\n".join(line.rstrip() for line in self.screen.display)

    def until(self, seen: Callable[[str], bool]) -> str:
        """Wait until the screen is as wanted, and return it."""
        text = ""

        def is_seen() -> bool:
            nonlocal text
            text = self.text()
            return seen(text)

        until(is_seen, lambda: f"the wanted picture; at last:\n{text}", TIMEOUT_S)
        return text

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def _control(terminal: int) -> None:
    """Let the terminal control the process, so that it gets its keys and signals."""
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

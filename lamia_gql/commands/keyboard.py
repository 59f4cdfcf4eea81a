"""Reads keys from the terminal without waiting for the end of a line."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import sys
from contextlib import ExitStack, suppress
from types import FrameType
from typing import Any, Self

KEYS = {
    "\x1b[A": "up",
    "\x1bOA": "up",
    "k": "up",
    "\x1b[B": "down",
    "\x1bOB": "down",
    "j": "down",
    "\x1b[5~": "page up",
    "b": "page up",
    "\x1b[6~": "page down",
    " ": "page down",
    "\x1b[H": "home",
    "\x1bOH": "home",
    "\x1b[1~": "home",
    "g": "home",
    "\x1b[F": "end",
    "\x1bOF": "end",
    "\x1b[4~": "end",
    "G": "end",
    "q": "quit",
}
"""What terminals send for a key, and our names of the keys."""
SEQUENCE = re.compile(r"\x1b[\[O][0-9;]*[A-Za-z~]|.", re.DOTALL)
UNFINISHED = re.compile(r"\x1b(?:[\[O][0-9;]*)?\Z")


class Keyboard:
    """The keys of the terminal, and the changes of its size: a context manager.

    There are no keys where standard input is no terminal, where the program is in the background,
    and on systems without POSIX terminals.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._terminal: int | None = None
        self._modes: list[Any] = []
        """How it was before."""
        self._resized: socket.socket | None = None
        self._unfinished = ""

    def __enter__(self) -> Self:
        if sys.platform != "win32":
            self._hear_of_sizes()
            self._open_terminal()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stack.close()

    @property
    def has_keys(self) -> bool:
        """Whether somebody can press a key."""
        return self._terminal is not None

    @property
    def inputs(self) -> list[int | socket.socket]:
        """What to wait for with ``select``: where one is readable, call :meth:`read`."""
        return [source for source in (self._terminal, self._resized) if source is not None]

    def read(self) -> list[str]:
        """Return the keys that were pressed, by the names of ``KEYS``; others are left out."""
        if self._resized is not None:
            with suppress(BlockingIOError):
                self._resized.recv(4096)
        if self._terminal is None or not _is_readable(self._terminal):
            return []
        try:
            data = os.read(self._terminal, 4096)
        except OSError:
            data = b""
        if not data:
            self._terminal = None  # it was closed
        text = self._unfinished + data.decode(errors="replace")
        start = UNFINISHED.search(text)
        self._unfinished = "" if start is None else text[start.start() :]
        found = SEQUENCE.findall(text[: len(text) - len(self._unfinished)])
        return [KEYS[sequence] for sequence in found if sequence in KEYS]

    if sys.platform != "win32":

        def suspend(self) -> None:
            """Stop the program until it is continued; the terminal gives lines meanwhile."""
            self._give_lines()
            os.kill(os.getpid(), signal.SIGSTOP)
            # A shell has given the terminal its own modes.
            self._take_keys()

        def _take_keys(self) -> None:
            import tty

            if self._terminal is not None:
                tty.setcbreak(self._terminal)

        def _give_lines(self) -> None:
            import termios

            if self._terminal is not None:
                termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._modes)

        def _hear_of_sizes(self) -> None:
            """Let a change of the size write to a socket: no signal ends ``select``."""
            self._resized, written = socket.socketpair()
            for end in (self._resized, written):
                end.setblocking(False)
                self._stack.callback(end.close)
            before = signal.signal(signal.SIGWINCH, _do_nothing)
            self._stack.callback(signal.signal, signal.SIGWINCH, before)
            number = signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
            self._stack.callback(signal.set_wakeup_fd, number)

        def _open_terminal(self) -> None:
            import termios

            try:
                terminal = sys.stdin.fileno()
                if os.tcgetpgrp(terminal) != os.getpgrp():
                    return
            except (AttributeError, OSError):
                return  # standard input is closed, no terminal, or that of others
            self._terminal, self._modes = terminal, termios.tcgetattr(terminal)
            self._stack.callback(self._give_lines)
            self._take_keys()


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """A handler, without which a signal does not write to the socket."""


def _is_readable(source: int) -> bool:
    return bool(select.select([source], [], [], 0)[0])

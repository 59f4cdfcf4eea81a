"""Shows pictures of tasks in a terminal, fitted to its size, and scrolls them by keys."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

from rich.console import Console
from rich.live import Live

from lamia_gql.commands.keyboard import Keyboard
from lamia_gql.commands.rendering import Picture
from lamia_gql.commands.viewport import Viewport
from lamia_gql.commands.watch_frame import WatchFrame

HELP = "↑ ↓ PgUp PgDn Home End, q: quit"
EXIT_TERMINATED = 128 + signal.SIGTERM
"""The exit code that shells report after SIGTERM."""

Snapshot = dict[str, Any]


class WatchScreen:
    """The latest snapshot, on the whole screen of a terminal: see :func:`open_screen`."""

    def __init__(
        self, live: Live, keyboard: Keyboard, picture: Callable[[Snapshot], Picture]
    ) -> None:
        self.keyboard = keyboard
        self.snapshot: Snapshot | None = None
        self._live = live
        self._picture = picture
        self._viewport = Viewport()
        self._problem = ""

    def show(self, snapshot: Snapshot, problem: str) -> None:
        """Show a snapshot, and why there is no newer one; an empty text if it is current."""
        self.snapshot, self._problem = snapshot, problem
        self.draw()

    def draw(self) -> None:
        """Show the same snapshot at the present time, in the present size."""
        if self.snapshot is None:
            return
        picture = self._picture(self.snapshot)
        self._viewport.show(picture.table.rows)
        keys = HELP if self.keyboard.has_keys else ""
        frame = WatchFrame(picture, self._viewport, self._problem, keys)
        self._live.update(frame, refresh=True)

    def read_keys(self) -> None:
        """Scroll as the keys say. Raises :class:`KeyboardInterrupt` for the key that quits."""
        for key in self.keyboard.read():
            if key == "quit":
                raise KeyboardInterrupt
            self._viewport.move(key)
        self.draw()


@contextmanager
def open_screen(picture: Callable[[Snapshot], Picture]) -> Iterator[WatchScreen]:
    """Open the alternate screen of the terminal; in the end, print the whole latest picture.

    Where standard output is not a terminal, or one that knows no commands, that is all.

    Args:
        picture: Makes a picture of a snapshot at the present time.
    """
    console = Console()
    is_full = console.is_terminal and not console.is_dumb_terminal
    live = Live(console=console, screen=is_full, auto_refresh=False, transient=True)
    screen = WatchScreen(live, Keyboard(), picture)
    try:
        with ExitStack() as stack:
            if is_full:
                for part in (_heard_signals(console, screen.keyboard), live, screen.keyboard):
                    stack.enter_context(part)
            yield screen
    finally:
        if screen.snapshot is not None:
            console.print(picture(screen.snapshot))


@contextmanager
def _heard_signals(console: Console, keyboard: Keyboard) -> Iterator[None]:
    """Give the terminal back when the program is ended or suspended."""

    def end(_number: int, _frame: FrameType | None) -> None:
        sys.exit(EXIT_TERMINATED)

    def suspend(_number: int, _frame: FrameType | None) -> None:
        was_full = console.set_alt_screen(False)
        console.show_cursor(True)
        keyboard.suspend()
        if was_full:
            console.set_alt_screen(True)
            console.show_cursor(False)

    handlers = {signal.SIGTERM: end}
    if sys.platform != "win32":
        handlers[signal.SIGTSTP] = suspend
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

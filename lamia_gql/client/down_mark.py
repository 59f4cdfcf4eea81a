"""A mark in the spool by which jobs tell each other that the server does not answer.

It spares the next ones the time in which they would find out themselves.
"""

from __future__ import annotations

import os
import time

DOWN_S = 20.0
"""How long a server that has not answered is left alone by those who see the mark."""


class DownMark:
    """The mark of one server; it may be missing, and wrong. Nothing raises.

    Args:
        path: The file.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def set(self) -> None:
        """Note that the server does not answer, if the spool can be written."""
        try:
            with open(
                os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w"
            ) as file:
                file.write(f"{time.time() + DOWN_S}\n")
        except OSError:
            pass  # others find out themselves

    def clear(self) -> None:
        """Note that it answers again."""
        try:
            os.unlink(self._path)
        except OSError:
            pass  # another process was faster

    def remaining_s(self) -> float:
        """Return for how many seconds the server is to be left alone; 0 without a mark."""
        try:
            with open(self._path, encoding="ascii") as file:
                left = float(file.read(64)) - time.time()
        except (OSError, ValueError):
            return 0.0
        # The clock of the mark's owner may differ from ours.
        return left if 0 < left <= DOWN_S else 0.0

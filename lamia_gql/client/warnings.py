"""What people are told on stderr: every kind of problem once, not a thousand times."""

from __future__ import annotations

import os


class Notices:
    """Tells of problems; never raises.

    Mistakes are the user's to correct. Troubles pass, and cost nothing but time: a quiet one
    keeps them to itself, because the stderr is a program's.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._told: dict[str, str] = {}

    @property
    def told(self) -> list[str]:
        """All that there was to tell so far, also in quiet."""
        return list(self._told.values())

    def mistake(self, kind: str, text: str) -> None:
        """Tell of a mistake, if it is the first of its kind."""
        if self._is_first(kind, text):
            self._write(text)

    def trouble(self, kind: str, text: str) -> None:
        """Tell of a trouble, if it is the first of its kind, and not in quiet."""
        if self._is_first(kind, text) and not self._quiet:
            self._write(text)

    def _is_first(self, kind: str, text: str) -> bool:
        # One step, and no lock that a fork or a signal could find taken.
        return self._told.setdefault(kind, text) is text

    @staticmethod
    def _write(text: str) -> None:
        try:
            os.write(2, f"lamia-job: {text}\n".encode("utf-8", "replace"))
        except OSError:
            pass  # nobody listens

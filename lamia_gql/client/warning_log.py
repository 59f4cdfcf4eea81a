"""Warnings for the user: each kind is printed to stderr once."""

from __future__ import annotations

import os


class WarningLog:
    """Prints warnings and remembers them. Never raises.

    Args:
        quiet: Whether to only remember temporary problems, because stderr belongs to a program.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._by_kind: dict[str, str] = {}

    @property
    def messages(self) -> list[str]:
        """All warnings so far, including those that were not printed."""
        return list(self._by_kind.values())

    def warn(self, kind: str, text: str) -> None:
        """Warn of a problem that the user has to correct, if it is the first of its kind."""
        if self._is_first(kind, text):
            self._write(text)

    def warn_temporary(self, kind: str, text: str) -> None:
        """Warn of a problem that may pass, if it is the first of its kind; not if quiet."""
        if self._is_first(kind, text) and not self._quiet:
            self._write(text)

    def _is_first(self, kind: str, text: str) -> bool:
        # One atomic step instead of a lock, which a fork or a signal handler could find taken.
        return self._by_kind.setdefault(kind, text) is text

    @staticmethod
    def _write(text: str) -> None:
        try:
            os.write(2, f"lamia-job: {text}\n".encode("utf-8", "replace"))
        except OSError:
            pass  # stderr is closed

"""The rows of a long table that a terminal shows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Viewport:
    """Which rows are shown: it follows the keys, and the row at its top."""

    def __init__(self) -> None:
        self.top = 0
        """The number of rows above it."""
        self._height = 1
        self._rows: list[str] = []

    def show(self, rows: Sequence[dict[str, Any]]) -> None:
        """Take new rows, by their ``id``. If it was scrolled, the row at the top stays there."""
        old, self._rows = self._rows[self.top :], [row["id"] for row in rows]
        if self.top:
            places = {row: place for place, row in enumerate(self._rows)}
            self.top = next((places[row] for row in old if row in places), self.top)

    def fit(self, height: int) -> slice:
        """Return the rows that are shown where there is room for so many."""
        self._height = max(1, height)
        self.top = max(0, min(self.top, len(self._rows) - self._height))
        return slice(self.top, self.top + self._height)

    def move(self, key: str) -> None:
        """Scroll by a key, as :class:`Keyboard` names it; others do nothing."""
        steps = {
            "up": -1,
            "down": 1,
            "page up": -self._height,
            "page down": self._height,
            "home": -len(self._rows),
            "end": len(self._rows),
        }
        self.top = max(0, min(self.top + steps.get(key, 0), len(self._rows) - self._height))

"""The table of results: what each line measures, its goal, and what was measured last."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.environment import Environment

HEAD = ("#", "line", "before", "now", "goal", "reached", "measured", "date")
EMPTY = "?"


@dataclass(frozen=True)
class Goal:
    """A number that a figure must not fall below (``≥``) or exceed (``≤``), and its unit."""

    sign: str
    number: float
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.sign} {self.number:,g}{self.unit}"

    def is_reached(self, figure: float) -> bool:
        """Whether a figure reaches the goal."""
        return figure >= self.number if self.sign == "≥" else figure <= self.number

    def show(self, figure: float) -> str:
        """A figure with the unit."""
        digits = 2 if abs(figure) < 10 else 1 if abs(figure) < 100 else 0
        return f"{figure:,.{digits}f}{self.unit}"


@dataclass(frozen=True)
class Measured:
    """What a line has found.

    Args:
        figures: one for each goal of the line.
        details: the values that they come from.
    """

    figures: tuple[float, ...]
    details: str


@dataclass(frozen=True)
class Line:
    """A line of the table.

    Args:
        what: what is measured, and against what.
        before: the figure before queries and events were compiled.
        goals: one for each figure.
        measure: measures it.
    """

    what: str
    before: str
    goals: tuple[Goal, ...]
    measure: Callable[[Environment], Measured]

    def cells(self, number: int, measured: Measured, date: str) -> tuple[str, ...]:
        """The row of the table after a measurement."""
        pairs = list(zip(self.goals, measured.figures, strict=True))
        reached = ["yes" if goal.is_reached(figure) else "no" for goal, figure in pairs]
        return (
            *self.beginning(number),
            " / ".join(goal.show(figure) for goal, figure in pairs),
            self.goal,
            reached[0] if len(set(reached)) == 1 else " / ".join(reached),
            measured.details,
            date,
        )

    def beginning(self, number: int) -> tuple[str, ...]:
        """The cells of the row that need no measurement, up to the goal."""
        return str(number), self.what, self.before

    @property
    def goal(self) -> str:
        """The goals, in one cell."""
        return " / ".join(dict.fromkeys(map(str, self.goals)))


Rows = Mapping[int, Sequence[str]]
"""The cells of the rows, by the number of the line."""


def parse(text: str) -> dict[int, list[str]]:
    """The rows of the table in a text; rows of another form are left out."""
    found = re.findall(r"^\| \d+ \|.*", text, re.MULTILINE)
    rows = (line.strip("| ").split(" | ") for line in found)
    return {int(row[0]): row for row in rows if len(row) == len(HEAD)}


def render(lines: Mapping[int, Line], measured: Rows) -> str:
    """The table with all lines, in Markdown.

    Args:
        lines: the lines by their numbers.
        measured: rows of :meth:`Line.cells`, or of :func:`parse` for those of an earlier run.
    """
    rows: list[Sequence[str]] = [HEAD, ["---"] * len(HEAD)]
    for number, line in lines.items():
        result = measured.get(number, ())[3:] or (EMPTY, line.goal, EMPTY, EMPTY, EMPTY)
        rows.append((*line.beginning(number), *result))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)

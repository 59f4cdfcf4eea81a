"""A table of tasks or processes, each on one line, in the width of the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lamia_gql.commands.cause_text import make_printable
from lamia_gql.commands.figures import format_compact, format_percent
from lamia_gql.commands.outlook_text import (
    COLOURS,
    describe_rate,
    describe_stall,
    describe_state,
    describe_time_left,
)

COUNT_HEADINGS = {
    "pending": "pend",
    "submitted": "subm",
    "held": "held",
    "running": "run",
    "late": "late",
    "lost": "lost",
    "done": "done",
    "failed": "fail",
    "terminated": "term",
}
"""The job counts that are shown, and the headings of their columns."""
RARE_COUNTS = ("held", "late", "lost")
"""Those that have a column only where one of them is not zero."""
BAR_CHARACTERS = 10
NAME_CHARACTERS = 20
"""Names are cut to no less than this as long as columns can be left out instead."""
SHORT_NAME_CHARACTERS = 12
"""The same, where only columns are left that say what is wrong, or how much is done."""
LEFT_OUT = {
    **dict.fromkeys(("user", "progress", "rate", "pend", "subm", "ends in"), NAME_CHARACTERS),
    **dict.fromkeys(("late", "run", "done"), SHORT_NAME_CHARACTERS),
}
"""The columns that narrow terminals lack, the first one first: each where a name would have less
room than this. Beside the bar is its percentage."""


@dataclass(frozen=True)
class _Column:
    """A column beside that of the names."""

    heading: str
    draw: Callable[[dict[str, Any]], Text | ProgressBar]
    min_width: int = 4
    style: str = ""
    is_text: bool = False
    """Whether it stands at the left of the column."""


class TaskTable:
    """A table of tasks or processes.

    Args:
        what: The heading of the names.
        rows: The tasks or processes.
        now: The present time.
        total: The last line, of all rows together; None if there is no such line.
    """

    def __init__(
        self,
        what: str,
        rows: Sequence[dict[str, Any]],
        now: datetime,
        total: dict[str, Any] | None = None,
    ) -> None:
        self.rows = rows
        self.total = total
        self._what = what
        self._now = now
        self._all = [*rows, *([] if total is None else [total])]
        self._longest_name = max(
            cell_len(text) for text in (what, *(row["name"] for row in self._all))
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw all rows."""
        yield self.draw(options.max_width, slice(None))

    def draw(self, width: int, part: slice) -> Table:
        """Draw a part of the rows, and the total.

        The columns depend on all rows, so that they stay where they are when others are drawn.
        """
        columns, widths = self._lay_out(width)
        names = min(self._longest_name, width - sum(widths) - len(widths))
        table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
        table.add_column(self._what, width=max(names, 1))
        for column, column_width in zip(columns, widths, strict=True):
            table.add_column(
                column.heading,
                no_wrap=True,
                width=column_width,
                style=column.style,
                justify="left" if column.is_text else "right",
            )
        for row in [*self.rows[part], *([] if self.total is None else [self.total])]:
            # A str would be taken for markup.
            name = Text(make_printable(row["name"]), no_wrap=True, overflow="ellipsis")
            table.add_row(name, *(column.draw(row) for column in columns))
        return table

    def _lay_out(self, width: int) -> tuple[list[_Column], list[int]]:
        """Leave out columns until the names have room; return the others and their widths."""
        columns = self._make_columns(is_narrow=False)
        widths = [self._measure(column) for column in columns]
        wanted = min(NAME_CHARACTERS, self._longest_name)
        if wanted + sum(widths) + len(widths) <= width:
            return columns, widths
        columns = self._make_columns(is_narrow=True)
        sizes = {column.heading: self._measure(column) for column in columns}
        for heading, characters in LEFT_OUT.items():
            if min(characters, wanted) + sum(sizes.values()) + len(sizes) > width:
                sizes.pop(heading, None)
        return [column for column in columns if column.heading in sizes], [*sizes.values()]

    def _measure(self, column: _Column) -> int:
        cells = (column.draw(row) for row in self._all)
        texts = (
            BAR_CHARACTERS if isinstance(cell, ProgressBar) else cell.cell_len for cell in cells
        )
        return max((column.min_width, len(column.heading), *texts))

    def _make_columns(self, *, is_narrow: bool) -> list[_Column]:
        """Return all columns; narrow ones have large numbers in short."""
        counts = {
            state: _Column(heading, _count_drawer(state, is_narrow), style=COLOURS[state])
            for state, heading in COUNT_HEADINGS.items()
            if state not in RARE_COUNTS or any(row["counts"][state] for row in self._all)
        }
        return [
            *([_Column("user", _draw_user, is_text=True)] if self._has_users() else []),
            _Column("state", _state_drawer(is_narrow), min_width=9, is_text=True),
            _Column("progress", _draw_bar, is_text=True),
            _Column("", _draw_percent, min_width=5),
            *counts.values(),
            _Column("rate", lambda row: Text(describe_rate(row).replace(" jobs", ""))),
            _Column("ends in", self._end_drawer(is_narrow)),
        ]

    def _has_users(self) -> bool:
        return any(row.get("username") for row in self.rows)

    def _end_drawer(self, is_narrow: bool) -> Callable[[dict[str, Any]], Text]:
        def draw(row: dict[str, Any]) -> Text:
            stall = describe_stall(row, self._now)
            if stall:
                return Text(stall.replace(" since", "") if is_narrow else stall, COLOURS["stalled"])
            return Text(describe_time_left(row, self._now))

        return draw


def _draw_user(row: dict[str, Any]) -> Text:
    return Text(make_printable(row.get("username") or ""))


def _state_drawer(is_narrow: bool) -> Callable[[dict[str, Any]], Text]:
    """Return how to draw states; narrow ones tell a stall, as that column may be left out."""

    def draw(row: dict[str, Any]) -> Text:
        state = describe_state(row)
        if is_narrow and state == "running" and row["stalledSince"] is not None:
            state = "stalled"
        return Text(state, COLOURS[state])

    return draw


def _draw_bar(row: dict[str, Any]) -> Text | ProgressBar:
    ratio = _get_ratio(row)
    if ratio is None:
        return Text()
    return ProgressBar(
        completed=100 * min(ratio, 1.0),
        width=BAR_CHARACTERS,
        complete_style=COLOURS["running"],
        finished_style=COLOURS["succeeded"],
    )


def _draw_percent(row: dict[str, Any]) -> Text:
    ratio = _get_ratio(row)
    return Text("" if ratio is None else format_percent(ratio))


def _get_ratio(row: dict[str, Any]) -> float | None:
    ratio: float | None = row["progress"] and row["progress"]["ratio"]
    return ratio


def _count_drawer(state: str, is_narrow: bool) -> Callable[[dict[str, Any]], Text]:
    """Return how to draw the numbers of jobs in a state; narrow ones are short where large."""

    def draw(row: dict[str, Any]) -> Text:
        count = row["counts"][state]
        if not count:
            return Text("·", "bright_black")
        return Text(format_compact(count) if is_narrow else str(count))

    return draw

"""A picture of tasks, fitted to the height of the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segment
from rich.text import Text

from lamia_gql.commands.rendering import Picture
from lamia_gql.commands.trouble_lines import select_lines
from lamia_gql.commands.viewport import Viewport

HEADINGS = 1
"""The number of lines above the rows of a table."""

Lines = list[list[Segment]]


class WatchFrame:
    """A part of a picture's rows; its head, its trouble and a line at the bottom are always there.

    Args:
        picture: What is shown.
        viewport: Which rows are shown; it gets to know how many there are room for.
        problem: Why there is no newer picture; an empty text if it is current.
        keys: What keys do, in words; an empty text if nobody can press one.
    """

    def __init__(self, picture: Picture, viewport: Viewport, problem: str, keys: str) -> None:
        self._picture = picture
        self._viewport = viewport
        self._problem = problem
        self._keys = keys

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it in exactly the height of the terminal."""
        height = options.height or console.height
        free = options.update(height=None)

        def draw(*parts: RenderableType) -> Lines:
            return console.render_lines(Group(*parts), free) if parts else []

        table, lines = self._picture.table, self._picture.trouble
        if not table.rows:
            yield from _join(
                [*draw(Text(self._picture.summary)), *draw(Text(self._problem, "yellow"))]
            )
            return
        head = draw(*self._picture.head)
        problem = draw(*([Text(self._problem, "yellow")] if self._problem else []))
        fixed = len(head) + HEADINGS + (table.total is not None) + len(problem) + 1
        room = max(1, height - fixed)
        # Rows and trouble get what they need, or half of the room each.
        rows = min(len(table.rows), max(room - len(lines), (room + 1) // 2))
        trouble, missing = select_lines(lines, room - rows)
        more = [Text(f"… and {missing} more like these", "bright_black")] if missing else []
        part = self._viewport.fit(rows)
        body = draw(table.draw(options.max_width, part), *trouble, *more)
        gap = draw(Text()) * (height - len(head) - len(body) - len(problem) - 1)
        yield from _join([*head, *body, *gap, *problem, *draw(self._describe_part(part, free))])

    def _describe_part(self, part: slice, options: ConsoleOptions) -> Text:
        count = len(self._picture.table.rows)
        first, last = part.start + 1, min(part.stop, count)
        place = "" if last - first + 1 == count else f"{first}-{last} of "
        text = Text(place + self._picture.summary, no_wrap=True, overflow="ellipsis")
        room = options.max_width - text.cell_len - len(self._keys)
        if self._keys and room > 1:
            text.append(" " * room).append(self._keys, "bright_black")
        return text


def _join(lines: Lines) -> Iterable[Segment]:
    for place, line in enumerate(lines):
        if place:
            yield Segment.line()
        yield from line

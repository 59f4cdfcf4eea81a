"""Turns what a terminal shows into a page, of which a browser takes a picture."""

from __future__ import annotations

from html import escape
from itertools import groupby

from pyte.screens import Char, Screen

COLOURS = {
    "default": "#d4d7dd",
    "black": "#5f6672",
    "red": "#ff7b72",
    "green": "#7ccf7c",
    "brown": "#e3b341",
    "blue": "#79b8ff",
    "magenta": "#d2a8ff",
    "cyan": "#63d3d8",
    "white": "#d4d7dd",
    "brightblack": "#8b919c",
}
"""The colours that programs name; a number like ``3a3a3a`` stands for itself."""
PAGE = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; padding: 14px 18px; background: #16181d; width: max-content }}
pre {{ margin: 0; font: 13px/1.4 "DejaVu Sans Mono", monospace }}
</style><pre>{}</pre>"""


def make_page(screen: Screen) -> str:
    """Return a page that looks like a screen."""
    lines = [
        [screen.buffer[row][column] for column in range(screen.columns)]
        for row in range(screen.lines)
    ]
    return PAGE.format("\n".join(map(_draw_line, lines)))


def _draw_line(line: list[Char]) -> str:
    runs = groupby(line, key=lambda cell: (cell.fg, cell.bold))
    return "".join(_draw_run(*style, "".join(cell.data for cell in cells)) for style, cells in runs)


def _draw_run(colour: str, is_bold: bool, text: str) -> str:
    weight = ";font-weight:bold" if is_bold else ""
    return f'<span style="color:{COLOURS.get(colour, f"#{colour}")}{weight}">{escape(text)}</span>'

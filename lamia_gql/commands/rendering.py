"""Renders the snapshots of ``watch`` as tables with progress bars."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

COLOURS = {
    "PENDING": "bright_black",
    "SUBMITTED": "cyan",
    "RUNNING": "blue",
    "SUCCEEDED": "green",
    "DONE": "green",
    "FAILED": "red",
    "TERMINATED": "magenta",
    "AT_RISK": "yellow",
    "CANNOT_SUCCEED": "red",
}
OUTLOOK_LABELS = {"AT_RISK": "AT RISK", "CANNOT_SUCCEED": "HOPELESS"}
"""Outlooks that are shown instead of the state of an unfinished task or process."""
COUNT_HEADINGS = {
    "pending": "pend",
    "submitted": "subm",
    "running": "run",
    "done": "done",
    "failed": "fail",
    "terminated": "term",
}
"""The job counts that are shown, and the headings of their columns."""
BAR_CHARACTERS = 10
MAX_INDICES_CHARACTERS = 60
"""The length from which a list of indices is cut."""


def render_task(task: dict[str, Any], now: datetime) -> RenderableType:
    """Render the ``Task`` of the operation ``watch_task`` and its processes."""
    table = _make_table("process")
    for process in task["processes"]["nodes"]:
        _add_row(table, process, now)
    table.add_section()
    _add_row(table, task, now, name="all")
    title = Text.assemble(
        (task["name"], "bold"), "  ", _render_state(task), *_format_runtime(task, now)
    )
    return Group(title, table, *_render_indices(task["processes"]["nodes"]))


def render_tasks(tasks: list[dict[str, Any]], total: int, now: datetime) -> RenderableType:
    """Render the tasks of the operation ``watch_tasks``; ``total`` is the number of all tasks."""
    if not tasks:
        return Text("There are no tasks yet.")
    table = _make_table("task")
    for task in tasks:
        _add_row(table, task, now)
    return Group(table, Text(f"{len(tasks)} of {total} tasks, latest events first"))


def _make_table(what: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(what, overflow="fold", min_width=8)
    table.add_column("state", no_wrap=True, min_width=9)
    table.add_column("progress", no_wrap=True, width=BAR_CHARACTERS)
    table.add_column("", justify="right", no_wrap=True, min_width=5)
    for state, heading in COUNT_HEADINGS.items():
        style = COLOURS[state.upper()]
        table.add_column(heading, justify="right", no_wrap=True, style=style, min_width=4)
    table.add_column("/min", justify="right", no_wrap=True, min_width=5)
    table.add_column("ends in", justify="right", no_wrap=True, min_width=7)
    return table


def _add_row(table: Table, row: dict[str, Any], now: datetime, name: str | None = None) -> None:
    progress, counts = row["progress"], row["counts"]
    ratio = None if progress is None else progress["ratio"]
    table.add_row(
        name or row["name"],
        _render_state(row),
        "" if ratio is None else _make_bar(ratio),
        "" if ratio is None else f"{100 * ratio:.0f} %",
        *(str(counts[state]) if counts[state] else "·" for state in COUNT_HEADINGS),
        _format_rate(row, now),
        _format_time_left(row, now),
    )


def _make_bar(ratio: float) -> ProgressBar:
    return ProgressBar(total=1.0, completed=min(ratio, 1.0), width=BAR_CHARACTERS)


def _format_rate(row: dict[str, Any], now: datetime) -> str:
    """Format the average number of jobs that end in a minute, since the first start."""
    begin, end = _parse_time(row["startedAt"]), _parse_time(row["finishedAt"]) or now
    ended = sum(row["counts"][state] for state in ("done", "failed", "terminated"))
    if begin is None or end <= begin or not ended:
        return ""
    return f"{60 * ended / (end - begin).total_seconds():.1f}"


def _format_time_left(row: dict[str, Any], now: datetime) -> str:
    end = _parse_time(row["estimatedFinishAt"])
    return "" if end is None else _format_duration(max(end - now, timedelta()))


def _format_runtime(task: dict[str, Any], now: datetime) -> Iterable[str]:
    begin, end = _parse_time(task["startedAt"]), _parse_time(task["finishedAt"])
    if begin is not None:
        yield f"  for {_format_duration((end or now) - begin)}"


def _format_duration(duration: timedelta) -> str:
    """Format a duration in its two largest units."""
    seconds = int(duration.total_seconds())
    units = ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s"))
    for size, unit, smaller, small in units:
        if seconds >= size:
            return f"{seconds // size}{unit} {seconds % size // smaller}{small}"
    return f"{seconds}s"


def _render_indices(processes: list[dict[str, Any]]) -> Iterable[RenderableType]:
    for process in processes:
        for what, colour in (("failing", "red"), ("lost", "yellow")):
            indices = process.get(what)
            if indices:
                if len(indices) > MAX_INDICES_CHARACTERS:
                    indices = indices[:MAX_INDICES_CHARACTERS].rpartition(",")[0] + " …"
                yield Text.assemble((f"{what} ", colour), f"{process['name']}: {indices}")


def _render_state(row: dict[str, Any]) -> Text:
    """Return the state, or the outlook if that is bad and the row has not finished."""
    state, outlook = row["state"], row["outlook"]
    if state in ("SUCCEEDED", "FAILED") or outlook not in OUTLOOK_LABELS:
        return Text(state, COLOURS[state])
    return Text(OUTLOOK_LABELS[outlook], COLOURS[outlook])


def _parse_time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)

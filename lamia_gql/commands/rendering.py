"""What ``watch`` draws: tables with bars, from the answers of a server."""

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
OUTLOOKS = {"AT_RISK": "AT RISK", "CANNOT_SUCCEED": "HOPELESS"}
"""What is shown in place of the state of what has not ended."""
STATES = {
    "pending": "pend",
    "submitted": "subm",
    "running": "run",
    "done": "done",
    "failed": "fail",
    "terminated": "term",
}
"""The counts that are shown, and what their columns are called."""
BAR = 10
"""Characters of a progress bar."""
MANY_INDICES = 60
"""Characters of a list of indices, before it is cut."""


def draw_task(task: dict[str, Any], now: datetime) -> RenderableType:
    """A task and its processes, at this moment."""
    table = _table("process")
    for process in task["processes"]["nodes"]:
        _add(table, process, now)
    table.add_section()
    _add(table, task, now, name="all")
    title = Text.assemble((task["name"], "bold"), "  ", _condition(task), *_finish(task, now))
    return Group(title, table, *_indices(task["processes"]["nodes"]))


def draw_tasks(tasks: list[dict[str, Any]], total: int, now: datetime) -> RenderableType:
    """The tasks with the latest events, at this moment, and how many there are in all."""
    if not tasks:
        return Text("There are no tasks yet.")
    table = _table("task")
    for task in tasks:
        _add(table, task, now)
    return Group(table, Text(f"{len(tasks)} of {total} tasks, those with the latest events first"))


def _table(what: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(what, overflow="fold", min_width=8)
    table.add_column("state", no_wrap=True, min_width=9)
    table.add_column("progress", no_wrap=True, width=BAR)
    table.add_column("", justify="right", no_wrap=True, min_width=5)
    for state, heading in STATES.items():
        style = COLOURS[state.upper()]
        table.add_column(heading, justify="right", no_wrap=True, style=style, min_width=4)
    table.add_column("/min", justify="right", no_wrap=True, min_width=5)
    table.add_column("ends in", justify="right", no_wrap=True, min_width=7)
    return table


def _add(table: Table, row: dict[str, Any], now: datetime, name: str | None = None) -> None:
    progress, counts = row["progress"], row["counts"]
    ratio = None if progress is None else progress["ratio"]
    table.add_row(
        name or row["name"],
        _condition(row),
        "" if ratio is None else ProgressBar(total=1.0, completed=min(ratio, 1.0), width=BAR),
        "" if ratio is None else f"{100 * ratio:.0f} %",
        *(str(counts[state]) if counts[state] else "·" for state in STATES),
        _rate(row, now),
        _ends_in(row, now),
    )


def _rate(row: dict[str, Any], now: datetime) -> str:
    """Jobs that have ended in a minute, on the average since the first start."""
    begin, end = _time(row["startedAt"]), _time(row["finishedAt"]) or now
    ended = sum(row["counts"][state] for state in ("done", "failed", "terminated"))
    if begin is None or end <= begin or not ended:
        return ""
    return f"{60 * ended / (end - begin).total_seconds():.1f}"


def _ends_in(row: dict[str, Any], now: datetime) -> str:
    end = _time(row["estimatedFinishAt"])
    return "" if end is None else _span(max(end - now, timedelta()))


def _finish(task: dict[str, Any], now: datetime) -> Iterable[str]:
    begin, end = _time(task["startedAt"]), _time(task["finishedAt"])
    if begin is not None:
        yield f"  for {_span((end or now) - begin)}"


def _span(span: timedelta) -> str:
    """A span of time in its two largest units."""
    seconds = int(span.total_seconds())
    units = ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s"))
    for size, unit, smaller, small in units:
        if seconds >= size:
            return f"{seconds // size}{unit} {seconds % size // smaller}{small}"
    return f"{seconds}s"


def _indices(processes: list[dict[str, Any]]) -> Iterable[RenderableType]:
    for process in processes:
        for what, colour in (("failing", "red"), ("lost", "yellow")):
            indices = process.get(what)
            if indices:
                if len(indices) > MANY_INDICES:
                    indices = indices[:MANY_INDICES].rpartition(",")[0] + " …"
                yield Text.assemble((f"{what} ", colour), f"{process['name']}: {indices}")


def _condition(row: dict[str, Any]) -> Text:
    """The state, or the outlook of what runs where that is not well."""
    state, outlook = row["state"], row["outlook"]
    if state in ("SUCCEEDED", "FAILED") or outlook not in OUTLOOKS:
        return Text(state, COLOURS[state])
    return Text(OUTLOOKS[outlook], COLOURS[outlook])


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)

"""Renders tasks as tables with progress bars, for ``watch``, ``tasks`` and ``show``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lamia_gql.commands.cause_text import describe_cause, describe_hosts

COLOURS = {
    "PENDING": "bright_black",
    "SUBMITTED": "cyan",
    "RUNNING": "blue",
    "SUCCEEDED": "green",
    "DONE": "green",
    "FAILED": "red",
    "TERMINATED": "magenta",
    "HELD": "yellow",
    "LOST": "yellow",
    "AT_RISK": "yellow",
    "CANNOT_SUCCEED": "red",
}
OUTLOOK_LABELS = {"AT_RISK": "AT RISK", "CANNOT_SUCCEED": "HOPELESS"}
"""Outlooks that are shown instead of the state of an unfinished task or process."""
COUNT_HEADINGS = {
    "pending": "pend",
    "submitted": "subm",
    "held": "held",
    "running": "run",
    "done": "done",
    "failed": "fail",
    "terminated": "term",
}
"""The job counts that are shown, and the headings of their columns."""
BAR_CHARACTERS = 10
NAME_CHARACTERS = 20
"""Names are cut to no less than this as long as columns can be left out instead."""
LEFT_OUT = ("progress", "/min", "ends in")
"""The columns that narrow terminals lack, the first one first. Beside the bar is its percentage."""
ANY_WIDTH = 10_000
"""A width that every table fits in."""
COLUMNS: dict[str, dict[str, Any]] = {
    "state": {"min_width": 9},
    "progress": {"width": BAR_CHARACTERS},
    "": {"justify": "right", "min_width": 5},
    **{
        heading: {"justify": "right", "min_width": 4, "style": COLOURS[state.upper()]}
        for state, heading in COUNT_HEADINGS.items()
    },
    "/min": {"justify": "right", "min_width": 5},
    "ends in": {"justify": "right", "min_width": 7},
}
"""The columns beside that of the name, by their headings, with the options of each."""
MAX_INDICES_CHARACTERS = 60
"""The length from which a list of indices is cut."""


def render_task(
    task: dict[str, Any], now: datetime, details: Iterable[RenderableType] = ()
) -> RenderableType:
    """Render the ``Task`` of the operation ``watch_task``, details of it, and its processes."""
    processes = task["processes"]["nodes"]
    table = _TaskTable("process", [*processes, {**task, "name": "all"}], now)
    title = Text.assemble(
        (task["name"], "bold"), "  ", _render_state(task), *_format_runtime(task, now)
    )
    return Group(title, *details, table, *_render_indices(processes))


def render_tasks(
    tasks: list[dict[str, Any]], total: str, now: datetime, *, order: str
) -> RenderableType:
    """Render the tasks of the operations ``watch_tasks`` and ``list_tasks``.

    ``total`` is the number of all tasks, and ``order`` that of the given ones, in words.
    """
    if not tasks:
        return Text("There are no tasks yet.")
    return Group(_TaskTable("task", tasks, now), Text(f"{len(tasks)} of {total} tasks, {order}"))


class _TaskTable:
    """A table of tasks or processes, each on one line, in the width of the terminal.

    Args:
        what: The heading of the names.
        rows: The tasks or processes.
        now: The present time.
    """

    def __init__(self, what: str, rows: list[dict[str, Any]], now: datetime) -> None:
        self._what = what
        self._rows = [_make_cells(row, now) for row in rows]
        has_held = any(row["counts"]["held"] for row in rows)
        self._headings = [name for name in COLUMNS if has_held or name != COUNT_HEADINGS["held"]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Leave out columns until the names have room, then cut the names."""
        for number in range(len(LEFT_OUT) + 1):
            table = self._make_table(LEFT_OUT[:number])
            names = table.columns[0]
            names.max_width = NAME_CHARACTERS
            needed = Measurement.get(console, options.update_width(ANY_WIDTH), table).minimum
            names.max_width = None
            if needed <= options.max_width:
                break
        yield table

    def _make_table(self, left_out: Sequence[str]) -> Table:
        table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
        table.add_column(self._what, min_width=8)
        headings = [heading for heading in self._headings if heading not in left_out]
        for heading in headings:
            table.add_column(heading, no_wrap=True, **COLUMNS[heading])
        for name, cells in self._rows:
            table.add_row(name, *(cells[heading] for heading in headings))
        return table


def _make_cells(row: dict[str, Any], now: datetime) -> tuple[Text, dict[str, RenderableType]]:
    """Return the name and, by the headings of their columns, the other cells of a line."""
    progress, counts = row["progress"], row["counts"]
    ratio = None if progress is None else progress["ratio"]
    return (
        # A str would be taken for markup.
        Text(row["name"], no_wrap=True, overflow="ellipsis"),
        {
            "state": _render_state(row),
            "progress": "" if ratio is None else _make_bar(ratio),
            "": "" if ratio is None else f"{100 * ratio:.0f} %",
            **{
                heading: str(counts[state]) if counts[state] else "·"
                for state, heading in COUNT_HEADINGS.items()
            },
            "/min": _format_rate(row, now),
            "ends in": _format_time_left(row, now),
        },
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
        for what, colour in (("failing", "red"), ("held", "yellow"), ("lost", "yellow")):
            indices = process.get(what)
            if not indices:
                continue
            if len(indices) > MAX_INDICES_CHARACTERS:
                indices = indices[:MAX_INDICES_CHARACTERS].rpartition(",")[0] + " …"
            yield Text.assemble((f"{what} ", colour), f"{process['name']}: {indices}")
            if what == "failing":
                yield from map(_render_cause, process["causes"])
        if "job" in process:
            yield from _render_ending(process["name"], process["job"])


def _render_ending(name: str, job: dict[str, Any]) -> Iterable[RenderableType]:
    """Tell why the job of a solitary process has failed or is held, if it does."""
    cause = describe_cause(job)
    if cause and job["state"] in ("FAILED", "TERMINATED", "HELD"):
        what, colour = ("held", "yellow") if job["state"] == "HELD" else ("failing", "red")
        yield Text.assemble((f"{what} ", colour), f"{name}: {cause}")


def _render_cause(group: dict[str, Any]) -> Text:
    cause = describe_cause(group) or "nothing told"
    return Text.assemble(
        (f"{group['count']:>9,}", "red"),
        f"  {cause}",
        (f"  on {describe_hosts(group)}", "bright_black"),
        no_wrap=True,
        overflow="ellipsis",
    )


def _render_state(row: dict[str, Any]) -> Text:
    """Return the state, or the outlook if that is bad and the row has not finished."""
    state, outlook = row["state"], row["outlook"]
    if state in ("SUCCEEDED", "FAILED") or outlook not in OUTLOOK_LABELS:
        return Text(state, COLOURS[state])
    return Text(OUTLOOK_LABELS[outlook], COLOURS[outlook])


def _parse_time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)

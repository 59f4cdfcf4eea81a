"""Pictures of tasks for a terminal, for ``watch``, ``tasks`` and ``show``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

from lamia_gql.commands.cause_text import make_printable
from lamia_gql.commands.figures import format_count, format_percent, format_run, parse_time
from lamia_gql.commands.outlook_text import (
    COLOURS,
    describe_rate,
    describe_risk,
    describe_stall,
    describe_state,
    describe_time_left,
    rank_trouble,
)
from lamia_gql.commands.task_table import NAME_CHARACTERS, TaskTable
from lamia_gql.commands.trouble_lines import TroubleLine, describe_trouble


class Picture:
    """What there is to say about a task, or about several.

    Args:
        head: What is above the table.
        table: The processes or tasks.
        trouble: What is wrong with them.
        summary: How many rows of what there are, in words.
    """

    def __init__(
        self,
        head: Sequence[RenderableType],
        table: TaskTable,
        trouble: list[TroubleLine],
        summary: str,
    ) -> None:
        self.head = head
        self.table = table
        self.trouble = trouble
        self.summary = summary

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw all of it, whatever the height of the terminal."""
        yield from self.head
        if self.table.rows:
            yield self.table
        yield from self.trouble
        if self.table.total is None:
            yield Text(self.summary)


def picture_task(
    task: dict[str, Any], now: datetime, details: Sequence[RenderableType] = ()
) -> Picture:
    """Make the picture of the ``Task`` of the operation ``watch_task``.

    Processes in trouble come first. Others, and those in the same trouble, keep their order.

    Args:
        task: The task.
        now: The present time.
        details: What to show between the title and the table.
    """
    processes = sorted(task["processes"]["nodes"], key=rank_trouble)
    table = TaskTable("process", processes, now, total={**task, "name": "all", "username": None})
    head = [_Title(task, now), *details]
    summary = f"{format_count(len(processes), 'process', 'processes')}, trouble first"
    return Picture(head, table, describe_trouble(processes, now), summary)


def picture_tasks(page: dict[str, Any], now: datetime, *, order: str, none: str) -> Picture:
    """Make the picture of the ``TaskConnection`` of ``watch_tasks`` or ``list_tasks``.

    Args:
        page: The tasks, and how many there are in all.
        now: The present time.
        order: The order of the tasks, in words.
        none: What to say if there are none.
    """
    tasks, total, is_exact = page["nodes"], page["totalCount"], page["isTotalCountExact"]
    shown = format_count(len(tasks), "task", "tasks")
    if len(tasks) != total or not is_exact:
        shown = f"{len(tasks):,} of {total:,}{'' if is_exact else '+'} tasks"
    summary = f"{shown}, {order}" if tasks else none
    return Picture([], TaskTable("task", tasks, now), [], summary)


class _Title:
    """A line with the name of a task and how it stands.

    Where it is too long, the name is cut, and then what says less is left out.
    """

    def __init__(self, task: dict[str, Any], now: datetime) -> None:
        self._name = make_printable(task["name"])
        self._parts = [*_describe(task, now)]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        name, parts = Text(self._name, "bold"), self._parts
        while True:
            rest = Text("  ").join([Text(), *parts])
            room = options.max_width - rest.cell_len
            if len(parts) == 1 or room >= min(name.cell_len, NAME_CHARACTERS):
                break
            parts = parts[:-1]
        name.truncate(max(room, 1), overflow="ellipsis")
        line = name + rest
        line.no_wrap, line.overflow = True, "ellipsis"
        yield line


def _describe(task: dict[str, Any], now: datetime) -> Iterator[Text]:
    """Tell how a task stands, the most important first."""
    state = describe_state(task)
    risk = describe_risk(task["counts"]) if state == "at risk" else ""
    yield Text(f"{state}: {risk}" if risk else state, COLOURS[state])
    stall, left = describe_stall(task, now), describe_time_left(task, now)
    if stall:
        yield Text(stall, COLOURS["stalled"])
    elif left:
        yield Text(f"ends in {left}")
    rate = describe_rate(task)
    if rate:
        yield Text(rate)
    ratio = task["progress"] and task["progress"]["ratio"]
    if ratio is not None:
        yield Text(format_percent(ratio))
    begin = parse_time(task["startedAt"])
    if begin is not None:
        yield Text(format_run(begin, parse_time(task["finishedAt"]) or now))

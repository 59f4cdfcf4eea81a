"""Lines about what is wrong with the processes of a task: which jobs, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from lamia_gql.commands.cause_report import cut_indices
from lamia_gql.commands.cause_text import describe_cause, describe_hosts, make_printable
from lamia_gql.commands.figures import format_clock, parse_time
from lamia_gql.commands.outlook_text import COLOURS, describe_stall

NAME_CHARACTERS = 30
"""The length from which the name of a process is cut."""
SELECTIONS = {"failing": "unsuccessful", "lost": "lost", "held": "held"}
"""The lists of indices of an array in the operation ``watch_task``, and what their jobs are."""


@dataclass(frozen=True)
class TroubleLine:
    """A line, as wide as the terminal at most."""

    what: str
    """The state of the jobs, or that of the process; empty for a cause."""
    process: str
    text: str
    end: str = ""
    """What is kept at the end where the text is too long."""
    detail: int = 0
    """0 for that there is trouble, more for what can be left out where there are few lines."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it; a list of indices is cut between two of them."""
        if not self.what:
            cause = Text(self.text)
            cause.truncate(max(1, options.max_width - cell_len(self.end)), overflow="ellipsis")
            yield Text.assemble(cause, self.end, no_wrap=True, overflow="ellipsis")
            return
        name = Text(make_printable(self.process))
        name.truncate(NAME_CHARACTERS, overflow="ellipsis")
        line = Text.assemble((self.what, COLOURS[self.what]), " ", name, ": ")
        room = options.max_width - line.cell_len
        text = self.text
        if self.what in SELECTIONS.values() and " " not in text:
            text = cut_indices(text, room)
        line.append(text)
        line.no_wrap, line.overflow = True, "ellipsis"
        yield line


def describe_trouble(processes: Sequence[dict[str, Any]], now: datetime) -> list[TroubleLine]:
    """Return the lines about the processes of the operation ``watch_task``, in their order."""
    return [line for process in processes for line in _describe_process(process, now)]


def select_lines(lines: list[TroubleLine], room: int) -> tuple[list[TroubleLine], int]:
    """Return what fits into so many lines, and how many lines about other jobs do not.

    Causes are left out first.
    """
    if len(lines) <= room:
        return lines, 0
    order = sorted(range(len(lines)), key=lambda place: (lines[place].detail, place))
    heads = sum(line.detail == 0 for line in lines)
    kept = room if heads <= room else max(0, room - 1)
    return [lines[place] for place in sorted(order[:kept])], max(0, heads - kept)


def _describe_process(process: dict[str, Any], now: datetime) -> Iterator[TroubleLine]:
    name = process["name"]
    if "job" in process:
        yield from _describe_job(name, process["job"], now)
    else:
        for field, what in SELECTIONS.items():
            if process[field]:
                yield TroubleLine(what, name, process[field])
            if field == "failing":
                for rank, group in enumerate(process["causes"], 1):
                    cause = f"{group['count']:>9,}  {describe_cause(group) or 'nothing told'}"
                    hosts = f"  on {describe_hosts(group, is_short=True)}"
                    yield TroubleLine("", name, cause, end=hosts, detail=rank)
    stall = describe_stall(process, now)
    if stall:
        yield TroubleLine("stalled", name, stall.removeprefix("stalled "))


def _describe_job(name: str, job: dict[str, Any], now: datetime) -> Iterator[TroubleLine]:
    """Tell why the job of a solitary process has ended or is held, or where it was lost."""
    if job["liveness"] == "LOST":
        seen = parse_time(job["lastEventAt"])
        at = "" if seen is None else f"last sign {format_clock(seen, now)}"
        host = f"on {make_printable(job['hostname'])}" if job["hostname"] else ""
        yield TroubleLine("lost", name, ", ".join(filter(None, (host, at))))
    elif job["state"] in ("FAILED", "TERMINATED", "HELD"):
        yield TroubleLine(job["state"].lower(), name, describe_cause(job) or "nothing told")

"""A table of jobs that failed, are held or lost, and why, in the width of the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from lamia_gql.commands.cause_text import describe_cause, make_printable
from lamia_gql.commands.figures import format_clock, parse_time
from lamia_gql.commands.outlook_text import COLOURS

HEADINGS = ("process", "job", "state", "host", "last sign")
"""The columns beside the reason."""
SHORTEST = (("process", 20), ("host", 20), ("process", 12), ("host", 12))
"""What is cut in narrow terminals, one after the other, and to how many characters at least."""
REASON_CHARACTERS = 40
"""Where they have less room than this beside the other columns, reasons are below."""
INDENT = 4
"""How far to the right reasons are that are below."""
GAP = "  "


@dataclass(frozen=True)
class _Row:
    cells: tuple[Text, ...]
    """One for each heading."""
    reason: Text


class JobTable:
    """Jobs on a line each, and why they failed or are held: beside that, or in full below it.

    Args:
        processes: The processes of a task, each with its ``failingJobs``.
        now: The present time.
    """

    def __init__(self, processes: Sequence[dict[str, Any]], now: datetime) -> None:
        self._rows = [
            _describe_job(process["name"], job, now)
            for process in processes
            for job in process["failingJobs"]
        ]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it below an empty line; nothing without jobs."""
        if not self._rows:
            return
        yield Text()
        widths = self._fit(options.max_width)
        indent = sum(widths) + len(GAP) * len(widths)
        is_beside = options.max_width - indent >= REASON_CHARACTERS
        headings = tuple(Text(heading, "bold") for heading in HEADINGS)
        first = _Row(headings, Text("reason" if is_beside else "", "bold"))
        for row in (first, *self._rows):
            line = Text(GAP).join(map(_cut, row.cells, widths))
            room = max(1, options.max_width - (indent if is_beside else INDENT))
            reason = [*row.reason.wrap(console, room, overflow="fold")] if row.reason else []
            if reason and is_beside:
                line = Text.assemble(line, GAP, reason.pop(0))
            line.rstrip()
            yield line
            for part in reason:
                yield Text.assemble(" " * (indent if is_beside else INDENT), part)

    def _fit(self, width: int) -> list[int]:
        """Return the widths of the columns, together at most this if that can be."""
        widths = {
            heading: max(len(heading), *(row.cells[place].cell_len for row in self._rows))
            for place, heading in enumerate(HEADINGS)
        }
        for heading, shortest in SHORTEST:
            excess = sum(widths.values()) + len(GAP) * (len(widths) - 1) - width
            widths[heading] -= max(0, min(excess, widths[heading] - shortest))
        return [*widths.values()]


def is_lost(job: dict[str, Any]) -> bool:
    """Whether a job runs, and has been silent for so long that it is lost."""
    return bool(job["liveness"] == "LOST")


def _cut(cell: Text, width: int) -> Text:
    cell = cell.copy()
    cell.truncate(width, overflow="ellipsis", pad=True)
    return cell


def _describe_job(process: str, job: dict[str, Any], now: datetime) -> _Row:
    seen = parse_time(job["lastEventAt"])
    state = "lost" if is_lost(job) else job["state"].lower()
    cells = (
        Text(make_printable(process)),
        Text("" if job["index"] is None else str(job["index"])),
        Text(state, COLOURS[state]),
        Text(make_printable(job["hostname"] or "")),
        Text("" if seen is None else format_clock(seen, now)),
    )
    return _Row(cells, Text(make_printable("" if is_lost(job) else _find_reason(job))))


def _find_reason(job: dict[str, Any]) -> str:
    """Return why a job has ended or is held.

    Clients that told no cause may have sent it as payload; see ``lamia-job run``.
    """
    cause = describe_cause(job)
    if cause:
        return cause
    payload = next((event["payload"] for event in job["ending"]["nodes"]), None)
    if not isinstance(payload, dict):
        return "" if payload is None else str(payload)
    reasons = [
        f"{label}{payload[key]}"
        for key, label in (("exitCode", "exit code "), ("signal", ""), ("error", ""))
        if payload.get(key) is not None
    ]
    lines = payload.get("stderr")
    if isinstance(lines, list) and lines:
        reasons.append(str(lines[-1]))
    return ": ".join(reasons)

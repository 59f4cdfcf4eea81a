"""How a task or process stands, in the words of the pages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lamia_gql.commands.figures import format_clock, format_duration, format_rate, parse_time

FINISHED_STATES = ("SUCCEEDED", "FAILED")
COLOURS = {
    "pending": "bright_black",
    "submitted": "cyan",
    "running": "blue",
    "succeeded": "green",
    "done": "green",
    "failed": "red",
    "terminated": "magenta",
    "held": "yellow",
    "late": "yellow",
    "lost": "yellow",
    "stalled": "yellow",
    "at risk": "yellow",
    "cannot succeed": "red",
    "unsuccessful": "red",
}
OUTLOOKS = {"AT_RISK": "at risk", "CANNOT_SUCCEED": "cannot succeed"}


def describe_state(row: dict[str, Any]) -> str:
    """Return the state, or the outlook if that is bad and the row has not finished.

    Args:
        row: A ``Task`` or a ``Process``.
    """
    state: str = row["state"]
    if state in FINISHED_STATES or row["outlook"] not in OUTLOOKS:
        return state.lower()
    return OUTLOOKS[row["outlook"]]


def describe_risk(counts: dict[str, Any]) -> str:
    """Return why something is at risk, like ``3 unsuccessful, 2 lost, 1 held``."""
    numbers = {
        "unsuccessful": counts["failed"] + counts["terminated"],
        "lost": counts["lost"],
        "held": counts["held"],
    }
    return ", ".join(f"{number:,} {what}" for what, number in numbers.items() if number)


def describe_stall(row: dict[str, Any], now: datetime) -> str:
    """Return ``stalled since 14:02``, or an empty text."""
    since = parse_time(row["stalledSince"])
    return "" if since is None else f"stalled since {format_clock(since, now)}"


def describe_rate(row: dict[str, Any]) -> str:
    """Return the rate, like ``12 jobs/min``; an empty text without one, and while stalled."""
    return format_rate(row["rate"]) if row["rate"] and row["stalledSince"] is None else ""


def describe_time_left(row: dict[str, Any], now: datetime) -> str:
    """Return the time until the estimated end, or an empty text where there is no estimate."""
    end = parse_time(row["estimatedFinishAt"])
    return "" if end is None else format_duration(end - now)


def rank_trouble(row: dict[str, Any]) -> int:
    """Return the place of a process among others: the smaller, the more it spoils the task."""
    word = describe_state(row)
    if word == "running" and row["stalledSince"] is not None:
        word = "stalled"
    order = ("cannot succeed", "failed", "at risk", "stalled")
    return order.index(word) if word in order else len(order)

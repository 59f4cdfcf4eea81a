"""The causes of the failures of an array, in full: what failed, where, and which jobs."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lamia_gql.commands.cause_text import describe_cause, describe_hosts, make_printable

INDEX_CHARACTERS = 300
"""How much is shown of the indices of a cause."""


def report_causes(
    task: str, process: dict[str, Any], options: Sequence[str]
) -> Iterator[RenderableType]:
    """Yield the ``causes`` of an array that has some, the most frequent first.

    Args:
        task: The name of its task.
        process: A ``JobArray`` with its ``counts``, and causes with their hosts and indices.
        options: Options that each command needs.
    """
    causes = process["causes"]
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for group in causes:
        table.add_row(
            Text(f"{group['count']:,}"),
            Group(
                Text(describe_cause(group) or "nothing told", "bold"),
                Text(f"on {describe_hosts(group)}"),
                Text(cut_indices(group["indices"], INDEX_CHARACTERS)),
            ),
        )
    yield Text()
    name = make_printable(process["name"])
    yield Text(f"why jobs of {name} were unsuccessful, where, and which:")
    yield table
    counts = process["counts"]
    rest = counts["failed"] + counts["terminated"] - sum(group["count"] for group in causes)
    if rest > 0:
        yield Text(f"and {rest:,} for other causes")
    words = (
        "lamia-gql",
        "resubmit",
        task,
        process["name"],
        "--state",
        "failed,terminated",
        *options,
    )
    command = make_printable(shlex.join(words))
    yield Text(f"To run them again: {command}", no_wrap=True, overflow="ignore")


def cut_indices(indices: str, room: int) -> str:
    """Return ranges of indices in at most so many characters, cut between two of them."""
    if len(indices) <= room:
        return indices
    return indices[: room - 1].rpartition(",")[0] + " …"

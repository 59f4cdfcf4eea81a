"""Shows a task with its processes, why jobs failed, and the jobs that failed, are held or lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import click
import orjson
from rich.console import Console, Group, RenderableType
from rich.text import Text

from lamia_gql.commands.cause_report import report_causes
from lamia_gql.commands.cause_text import make_printable
from lamia_gql.commands.job_table import JobTable, is_lost
from lamia_gql.commands.rendering import picture_task
from lamia_gql.commands.server_client import ServerClient

SHOWN_STATES = ("FAILED", "TERMINATED", "HELD")
"""The states of jobs that are listed, beside the lost ones."""


def show_task(
    url: str, name: str, *, limit: int, as_json: bool, options: Sequence[str] = ()
) -> None:
    """Print a task and its processes, with the first failing jobs of each.

    Args:
        url: The root address of the server.
        name: The name of the task.
        limit: The largest number of jobs to show of a process that have ended without success, of
            those that are held, and of those that are lost.
        as_json: Whether to print it as JSON, each process with its ``failingJobs``.
        options: Options of this command that those which are printed need, too.

    Raises :class:`ServerClientError`, also if there is no such task.
    """
    with ServerClient(url) as client:
        task = client.read_task(name)
        for process in task["processes"]["nodes"]:
            _add_failures(client, task, process, limit)
    if as_json:
        click.echo(orjson.dumps(task))
    else:
        # Commands are longer than narrow terminals, and must be copied as a whole.
        Console().print(_render(task, options), crop=False)


def _add_failures(
    client: ServerClient, task: dict[str, Any], process: dict[str, Any], limit: int
) -> None:
    """Add the first failing jobs to a process, and all that there is to say about its causes."""
    process["failingJobs"] = []
    if not any(process["counts"][state] for state in ("failed", "terminated", "held", "lost")):
        return
    found = client.execute("failing_jobs", task=task["name"], name=process["name"], first=limit)[
        "process"
    ]
    if found is None:
        # The task has just been deleted. The causes that were read with it lack details.
        if "causes" in process:
            process["causes"] = []
        return
    if "job" in found:
        jobs = [found["job"]]
    else:
        process["causes"] = found["causes"]
        jobs = [job for part in ("ended", "held", "lost") for job in found[part]["nodes"]]
    process["failingJobs"] = [job for job in jobs if job["state"] in SHOWN_STATES or is_lost(job)]


def _render(task: dict[str, Any], options: Sequence[str]) -> RenderableType:
    now, processes = datetime.now(UTC), task["processes"]["nodes"]
    picture = picture_task(task, now, [*_render_details(task)])
    # Causes are not cut to lines here, but told in full.
    picture.trouble = [line for line in picture.trouble if line.what]
    causes = [
        part
        for process in processes
        if process.get("causes")
        for part in report_causes(task["name"], process, options)
    ]
    return Group(picture, *causes, JobTable(processes, now))


def _render_details(task: dict[str, Any]) -> Iterator[Text]:
    origin = [
        *_describe("by", task["username"]),
        *_describe("from", task["hostname"]),
        *_describe("at", _format_time(task["submittedAt"])),
        *_describe("tagged", ", ".join(task["tags"])),
    ]
    if origin:
        yield Text(f"submitted {' '.join(origin)}")
    for line in (task["comment"] or "").splitlines():
        yield Text(make_printable(line))


def _describe(word: str, text: str | None) -> Iterator[str]:
    if text:
        yield f"{word} {make_printable(text)}"


def _format_time(text: str | None) -> str:
    """Format a time for people, by the clock of this machine."""
    if text is None:
        return ""
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")

"""Shows tasks in a terminal: after every change, a query gets a new snapshot to render.

The subscription only tells *that* something has changed. The snapshot comes from a query, so it is
correct whatever was missed while the connection was lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click
import orjson
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from lamia_gql.commands.change_listener import ChangeListener
from lamia_gql.commands.rendering import render_task, render_tasks
from lamia_gql.commands.server_client import (
    ServerClient,
    ServerUnavailableError,
)

MAX_REFRESH_INTERVAL_S = 10.0
"""How often a snapshot is queried without a change, since jobs become LATE and LOST by silence."""
MIN_REFRESH_INTERVAL_S = 0.4
MAX_TASKS = 25
"""How many tasks are listed."""
FINISHED_STATES = ("SUCCEEDED", "FAILED")


Screen = Callable[[dict[str, Any], str], None]
"""Shows a snapshot, and why there is no newer one; an empty text if it is current."""


def watch(url: str, name: str | None, *, once: bool, as_json: bool) -> bool:
    """Show a task until it has finished, or the tasks with the latest events.

    An unavailable server is retried forever, except for the first query.

    Args:
        url: The root address of the server.
        name: The name of the task; None for a list of tasks, which never ends.
        once: Whether to show the current state only.
        as_json: Whether to print every snapshot as a line of JSON.

    Returns False if the task has failed. Raises :class:`ServerClientError` if the first query
    fails, or if there is no such task.
    """
    with ServerClient(url) as client:
        snapshot = _query(client, name)
        if once:
            _print(snapshot, as_json)
        else:
            snapshot = _follow(client, name, snapshot, as_json)
    return name is None or snapshot["state"] != "FAILED"


def _follow(
    client: ServerClient, name: str | None, snapshot: dict[str, Any], as_json: bool
) -> dict[str, Any]:
    """Show snapshots until the task has finished; returns the last one."""
    names = None if name is None else [name]
    with ChangeListener(client.url, names) as listener, _open_screen(as_json) as show:
        problem = ""
        while True:
            show(snapshot, problem)
            if snapshot.get("state") in FINISHED_STATES and not problem:
                return snapshot
            time.sleep(MIN_REFRESH_INTERVAL_S)
            listener.wait(MAX_REFRESH_INTERVAL_S)
            try:
                snapshot, problem = _query(client, name), ""
            except ServerUnavailableError as error:
                problem = str(error)


def _query(client: ServerClient, name: str | None) -> dict[str, Any]:
    if name is None:
        tasks: dict[str, Any] = client.execute("watch_tasks", first=MAX_TASKS)["tasks"]
        return tasks
    return client.read_task(name)


@contextmanager
def _open_screen(as_json: bool) -> Iterator[Screen]:
    if as_json:
        yield lambda snapshot, problem: None if problem else _print(snapshot, True)
        return
    with Live(console=Console(), auto_refresh=False, vertical_overflow="ellipsis") as live:

        def show(snapshot: dict[str, Any], problem: str) -> None:
            rendered = _render(snapshot)
            if problem:
                rendered = Group(rendered, Text(f"{problem} Trying again …", "yellow"))
            live.update(rendered, refresh=True)

        yield show


def _print(snapshot: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps(snapshot))
    else:
        Console().print(_render(snapshot))


def _render(snapshot: dict[str, Any]) -> RenderableType:
    now = datetime.now(UTC)
    if "processes" in snapshot:
        return render_task(snapshot, now)
    total = str(snapshot["totalCount"])
    return render_tasks(snapshot["nodes"], total, now, order="latest events first")

"""Shows tasks in a terminal: after every change, a query gets a new snapshot to show.

The subscription only tells *that* something has changed. The snapshot comes from a query, so it is
correct whatever was missed while the connection was lost.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import click
import orjson
from rich.console import Console

from lamia_gql.commands.change_listener import ChangeListener
from lamia_gql.commands.outlook_text import FINISHED_STATES
from lamia_gql.commands.rendering import Picture, picture_task, picture_tasks
from lamia_gql.commands.server_client import (
    ServerClient,
    ServerUnavailableError,
)
from lamia_gql.commands.watch_screen import Snapshot, WatchScreen, open_screen

MAX_REFRESH_INTERVAL_S = 10.0
"""How often a snapshot is queried without a change, since jobs become LATE and LOST by silence."""
MIN_REFRESH_INTERVAL_S = 0.4
REDRAW_INTERVAL_S = 1.0
"""How often durations are renewed."""
MAX_TASKS = 100
"""How many tasks are listed."""


class Watch:
    """What is watched: one task, or those that match all of some conditions.

    Args:
        client: A client of the server.
        name: The name of the task; None for a list of tasks, which never ends.
        conditions: The ``TaskFilter`` of a list.
    """

    def __init__(self, client: ServerClient, name: str | None, conditions: dict[str, Any]) -> None:
        self._client = client
        self._name = name
        self._conditions = conditions

    def query(self) -> Snapshot:
        """Return the present snapshot. Raises :class:`ServerClientError`."""
        if self._name is not None:
            return self._client.read_task(self._name)
        data = self._client.execute("watch_tasks", first=MAX_TASKS, filter=self._conditions)
        tasks: Snapshot = data["tasks"]
        return tasks

    def listen(self) -> ChangeListener:
        """Return a listener for changes."""
        names = None if self._name is None else [self._name]
        return ChangeListener(self._client.url, names, self._conditions)

    def picture(self, snapshot: Snapshot) -> Picture:
        """Make a picture of a snapshot at the present time."""
        now = datetime.now(UTC)
        if self._name is not None:
            return picture_task(snapshot, now)
        none = "No task matches." if self._conditions else "There are no tasks yet."
        return picture_tasks(snapshot, now, order="trouble first", none=none)


def watch(
    url: str,
    name: str | None,
    *,
    usernames: Sequence[str],
    tags: Sequence[str],
    states: Sequence[str],
    once: bool,
    as_json: bool,
) -> bool:
    """Show a task until it has finished, or a list of tasks, those in trouble first.

    An unavailable server is retried forever, except for the first query.

    Args:
        url: The root address of the server.
        name: The name of the task; None for a list of tasks, which never ends.
        usernames: Users, of which one owns a listed task; for all three, empty ones match all.
        tags: Tags, all of which a listed task has.
        states: States, of which a listed task has one.
        once: Whether to show the current state only.
        as_json: Whether to print every snapshot as a line of JSON.

    Returns False if the task has failed. Raises :class:`ServerClientError` if the first query
    fails, or if there is no such task.
    """
    given = {"usernames": usernames, "tagsAll": tags, "states": states}
    conditions = {field: list(values) for field, values in given.items() if values}
    with ServerClient(url) as client:
        watched = Watch(client, name, conditions)
        snapshot = watched.query()
        if once and as_json:
            _print_json(snapshot, "")
        elif once:
            Console().print(watched.picture(snapshot))
        elif as_json:
            snapshot = _follow(watched, snapshot, _print_json, None)
        else:
            with open_screen(watched.picture) as screen:
                snapshot = _follow(watched, snapshot, screen.show, screen)
    return name is None or snapshot["state"] != "FAILED"


def _follow(
    watched: Watch,
    snapshot: Snapshot,
    show: Callable[[Snapshot, str], None],
    screen: WatchScreen | None,
) -> Snapshot:
    """Show snapshots until the task has finished; returns the last one."""
    with watched.listen() as listener:
        problem, read_at = "", datetime.now(UTC)
        while True:
            show(snapshot, problem)
            if snapshot.get("state") in FINISHED_STATES and not problem:
                return snapshot
            _wait(listener, screen)
            try:
                snapshot, problem, read_at = watched.query(), "", datetime.now(UTC)
            except ServerUnavailableError as error:
                problem = f"State of {read_at.astimezone():%H:%M:%S}. {error} Trying again …"


def _wait(listener: ChangeListener, screen: WatchScreen | None) -> None:
    """Wait until it is time for a new snapshot, and meanwhile do what the keys say."""
    begin = time.monotonic()
    end = begin + MAX_REFRESH_INTERVAL_S
    while (left := end - time.monotonic()) > 0:
        inputs = [] if screen is None else screen.keyboard.inputs
        ready, _, _ = select.select([listener, *inputs], [], [], min(left, REDRAW_INTERVAL_S))
        if listener in ready:
            listener.clear()
            end = begin + MIN_REFRESH_INTERVAL_S
        if screen is not None and ready != [listener]:
            screen.read_keys()


def _print_json(snapshot: Snapshot, problem: str) -> None:
    if not problem:
        click.echo(orjson.dumps(snapshot))

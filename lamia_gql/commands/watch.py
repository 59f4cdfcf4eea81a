"""Watching tasks in a terminal: the bell rings, the picture is asked for, and drawn.

The subscription only says *that* something is different; what, is asked for by one query. So the
picture is right whatever was missed while the connection was lost.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click
import orjson
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from lamia_gql.commands.change_listener import Bell
from lamia_gql.commands.remote import AwayError, Remote, RemoteError
from lamia_gql.commands.rendering import draw_task, draw_tasks

REFRESH = 10.0
"""Seconds after which the picture is asked for, though no bell has rung: silence, too, is news."""
PAUSE = 0.4
"""Seconds between two pictures, at least."""
MANY = 25
"""Tasks in a list."""
FINISHED = ("SUCCEEDED", "FAILED")


def watch(url: str, name: str | None, *, once: bool, as_json: bool) -> bool:
    """Draw a task until it has finished, or the latest tasks without an end; ``once``, as it is.

    ``as_json`` prints every picture as a line of JSON instead. A server that goes away is waited
    for; one that is not there at all, and a task that is not there, raise :class:`RemoteError`.
    The result is whether the task has not failed.
    """
    with Remote(url) as remote:
        picture = _ask(remote, name)
        if once:
            _print(picture, as_json)
        else:
            picture = _follow(remote, name, picture, as_json)
    return name is None or picture["state"] != "FAILED"


def _follow(
    remote: Remote, name: str | None, picture: dict[str, Any], as_json: bool
) -> dict[str, Any]:
    """Show picture after picture; the last one, of a task that has finished."""
    with Bell(remote.url, None if name is None else [name]) as bell, _screen(as_json) as screen:
        trouble = ""
        while True:
            screen(picture, trouble)
            if picture.get("state") in FINISHED and not trouble:
                return picture
            time.sleep(PAUSE)
            bell.wait(REFRESH)
            try:
                picture, trouble = _ask(remote, name), ""
            except AwayError as away:
                trouble = str(away)


def _ask(remote: Remote, name: str | None) -> dict[str, Any]:
    if name is None:
        tasks: dict[str, Any] = remote.ask("watch_tasks", first=MANY)["tasks"]
        return tasks
    task: dict[str, Any] | None = remote.ask("watch_task", name=name)["task"]
    if task is None:
        raise RemoteError(f"There is no task “{name}” on {remote.url}.")
    return task


@contextmanager
def _screen(as_json: bool) -> Iterator[Any]:
    if as_json:
        yield lambda picture, trouble: None if trouble else _print(picture, True)
        return
    with Live(console=Console(), auto_refresh=False, vertical_overflow="ellipsis") as live:

        def show(picture: dict[str, Any], trouble: str) -> None:
            drawn = _draw(picture)
            if trouble:
                drawn = Group(drawn, Text(f"{trouble} Trying again …", "yellow"))
            live.update(drawn, refresh=True)

        yield show


def _print(picture: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps(picture))
    else:
        Console().print(_draw(picture))


def _draw(picture: dict[str, Any]) -> RenderableType:
    now = datetime.now(UTC)
    if "processes" in picture:
        return draw_task(picture, now)
    return draw_tasks(picture["nodes"], picture["totalCount"], now)

"""Lists tasks, the newest first: as a table, or as lines of JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import click
import orjson
from rich.console import Console

from lamia_gql.commands.rendering import picture_tasks
from lamia_gql.commands.server_client import ServerClient

PAGE_SIZE = 25
"""How many tasks one request reads."""


def list_tasks(
    url: str,
    *,
    patterns: Sequence[str],
    usernames: Sequence[str],
    tags: Sequence[str],
    states: Sequence[str],
    limit: int,
    as_json: bool,
) -> None:
    """Print the tasks that match all of the conditions; an empty one matches every task.

    Args:
        url: The root address of the server.
        patterns: Patterns, of which the name matches one.
        usernames: Users, of which one owns the task.
        tags: Tags, all of which the task has.
        states: States, of which the task has one.
        limit: The largest number of tasks to print. If there are more, stderr says so.
        as_json: Whether to print a line of JSON for each task.

    Raises :class:`ServerClientError`.
    """
    given = {"names": patterns, "usernames": usernames, "tagsAll": tags, "states": states}
    conditions = {name: list(values) for name, values in given.items() if values}
    with ServerClient(url) as client:
        pages = [*_read_pages(client, conditions, limit)]
    tasks = [task for page in pages for task in page["nodes"]]
    total, is_exact = max(len(tasks), pages[0]["totalCount"]), pages[0]["isTotalCountExact"]
    if not pages[-1]["pageInfo"]["hasNextPage"]:
        total, is_exact = len(tasks), True
    if as_json:
        for task in tasks:
            click.echo(orjson.dumps(task))
        if len(tasks) < total or not is_exact:
            plus = "" if is_exact else "+"
            click.echo(f"{len(tasks)} of {total}{plus} tasks: see --limit.", err=True)
        return
    none = "No task matches." if conditions else "There are no tasks yet."
    listed = {"nodes": tasks, "totalCount": total, "isTotalCountExact": is_exact}
    Console().print(picture_tasks(listed, datetime.now(UTC), order="newest first", none=none))


def _read_pages(
    client: ServerClient, conditions: dict[str, Any], limit: int
) -> Iterator[dict[str, Any]]:
    """Yield pages until there are as many tasks as the limit, or no more; at least one."""
    left, cursor, has_next = limit, None, True
    while left and has_next:
        page = client.execute(
            "list_tasks", first=min(left, PAGE_SIZE), after=cursor, filter=conditions
        )["tasks"]
        yield page
        left -= len(page["nodes"])
        cursor, has_next = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]

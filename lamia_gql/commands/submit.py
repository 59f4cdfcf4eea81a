"""Creates a task from a file or from options, for a script that submits its jobs."""

from __future__ import annotations

import getpass
import json
import socket
import tomllib
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from lamia_gql.commands.client_token import write_job_token
from lamia_gql.commands.server_client import ServerClient, ServerClientError


class TaskInputError(Exception):
    """The file or the options do not describe a task; one sentence for the user."""


def submit(
    url: str,
    path: str | None,
    *,
    name: str | None,
    arrays: Sequence[str],
    solitary: Sequence[str],
    comment: str | None,
    tags: Sequence[str],
) -> tuple[str, Path | None]:
    """Create a task; returns its name, and the file with the token of its jobs, if there is one.

    Who has a token gets one for the jobs.

    User, host and time are filled in if the file does not have them.

    Args:
        url: The root address of the server.
        path: A ``.toml`` or ``.json`` file with the fields of ``CreateTaskInput``.
        name: Overrides the name in the file.
        arrays: Arrays to add, each as ``NAME:JOBS`` or ``NAME:FIRST-LAST``.
        solitary: Names of solitary processes to add.
        comment: Overrides the comment in the file.
        tags: Tags to add.

    Raises :class:`TaskInputError`, and :class:`ServerClientError` if the server is unavailable or
    refuses the task.
    """
    task: dict[str, Any] = {
        "username": _find_username(),
        "hostname": socket.gethostname(),
        "submittedAt": datetime.now(UTC).isoformat(),
    }
    task |= {} if path is None else _read_file(path)
    given = {"name": name, "comment": comment}
    task |= {field: text for field, text in given.items() if text is not None}
    added = [*map(_parse_array, arrays), *({"name": process} for process in solitary)]
    task["processes"] = [*_get_list(task, "processes"), *added]
    task["tags"] = [*_get_list(task, "tags"), *tags]
    if not isinstance(task.get("name"), str):
        raise TaskInputError("The task has no name: set it in its file or with --name.")
    if not task["processes"]:
        raise TaskInputError(
            "The task has no processes: add some in its file, or with --array NAME:JOBS"
            " and --solitary NAME."
        )
    with ServerClient(url) as client:
        if client.has_token:
            task["issueToken"] = True
        token = client.create_task(_to_json_value(task))
    name = str(task["name"])
    if token is None:
        return name, None
    try:
        return name, write_job_token(name, token)
    except (OSError, RuntimeError) as error:
        reason = str(error).removesuffix(".")
        raise ServerClientError(
            f"The task is created, but the token of its jobs can't be stored: {reason}."
        ) from error


def _read_file(path: str) -> dict[str, Any]:
    """Return the fields in a file. Raises :class:`TaskInputError`."""
    file = Path(path)
    load = {".toml": tomllib.loads, ".json": json.loads}.get(file.suffix)
    if load is None:
        raise TaskInputError(f"{path}: the file name must end in .toml or .json.")
    try:
        found = load(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise TaskInputError(
            f"{path} can't be read as {file.suffix[1:].upper()}: {error}."
        ) from error
    if not isinstance(found, dict):
        raise TaskInputError(f"{path} must have an object with the fields of a task.")
    return found


def _to_json_value(task: dict[str, Any]) -> Any:
    """Return the task with times as text. Raises :class:`TaskInputError` if JSON can't hold it."""
    try:
        # Files and arguments may contain NaN and unpaired surrogates, which are not valid JSON.
        text = json.dumps(task, default=_format_time, ensure_ascii=False, allow_nan=False)
        return json.loads(text.encode())
    except ValueError as error:
        raise TaskInputError(f"The task can't be sent as JSON: {error}.") from error


def _format_time(value: date | time) -> str:
    """Format a time, which is the only type of TOML that JSON does not have."""
    return value.isoformat()


def _get_list(task: dict[str, Any], field: str) -> list[Any]:
    found = task.get(field)
    if found is None:
        return []
    if not isinstance(found, list):
        raise TaskInputError(f"{field} must be a list.")
    return found


def _parse_array(text: str) -> dict[str, Any]:
    """Parse ``NAME:JOBS`` or ``NAME:FIRST-LAST``. Raises :class:`TaskInputError`."""
    name, _, size = text.rpartition(":")
    first, dash, last = size.partition("-")
    if not name or not first.isdecimal() or (dash and not last.isdecimal()):
        raise TaskInputError(
            f"--array {text} must be NAME:JOBS or NAME:FIRST-LAST, like fill:1-1000."
        )
    if not dash:
        return {"name": name, "jobCount": int(first)}
    if int(last) < int(first):
        raise TaskInputError(f"--array {text} has no jobs: its last index is before its first.")
    return {"name": name, "firstIndex": int(first), "jobCount": int(last) - int(first) + 1}


def _find_username() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # Containers may run under a user id that has no name.
        return None

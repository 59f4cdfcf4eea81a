"""Making a task from a file or from a few words, on behalf of a script that submits its jobs."""

from __future__ import annotations

import getpass
import json
import shlex
import socket
import tomllib
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from lamia_gql.commands.remote import Remote


class TaskError(Exception):
    """What was given does not make a task; one sentence for people."""


def submit(
    url: str,
    path: str | None,
    *,
    name: str | None,
    arrays: Sequence[str],
    solitary: Sequence[str],
    comment: str | None,
    tags: Sequence[str],
) -> str:
    """Make a task on the server at ``url``; the lines for ``eval`` that tell its jobs of it.

    A file, at ``path``, has the fields of ``CreateTaskInput``; what is given besides replaces its
    name and comment, and adds to its processes and tags. Each of ``arrays`` is ``NAME:JOBS`` or
    ``NAME:FIRST-LAST``. User, host and time are filled in where the file leaves them out. Raises
    :class:`TaskError`, and :class:`RemoteError` where the server is away or refuses.
    """
    task: dict[str, Any] = {
        "username": _user(),
        "hostname": socket.gethostname(),
        "submittedAt": datetime.now(UTC).isoformat(),
    }
    task |= {} if path is None else _read(path)
    given = {"name": name, "comment": comment}
    task |= {field: text for field, text in given.items() if text is not None}
    added = [*map(_array, arrays), *({"name": process} for process in solitary)]
    task["processes"] = [*_list(task, "processes"), *added]
    task["tags"] = [*_list(task, "tags"), *tags]
    if not isinstance(task.get("name"), str):
        raise TaskError("The task has no name: give one in its file, or by --name.")
    if not task["processes"]:
        raise TaskError(
            "The task has no processes: give some in its file, or by --array NAME:JOBS"
            " and --solitary NAME."
        )
    with Remote(url) as remote:
        remote.create_task(_as_json(task))
        return (
            f"export LAMIA_URL={shlex.quote(remote.url)}\n"
            f"export LAMIA_TASK={shlex.quote(task['name'])}\n"
        )


def _read(path: str) -> dict[str, Any]:
    """The fields in a file. Raises :class:`TaskError`."""
    file = Path(path)
    load = {".toml": tomllib.loads, ".json": json.loads}.get(file.suffix)
    if load is None:
        raise TaskError(f"{path}: the name of a task's file ends in .toml or .json.")
    try:
        found = load(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise TaskError(f"{path} can't be read as {file.suffix[1:].upper()}: {error}.") from error
    if not isinstance(found, dict):
        raise TaskError(f"{path} must have an object with the fields of a task.")
    return found


def _as_json(task: dict[str, Any]) -> Any:
    """The task as it can be sent: times as text, all text Unicode. Raises :class:`TaskError`."""
    try:
        # Python reads numbers and characters from files and arguments that JSON does not know.
        text = json.dumps(task, default=_time, ensure_ascii=False, allow_nan=False)
        return json.loads(text.encode())
    except ValueError as error:
        raise TaskError(f"The task can't be sent as JSON: {error}.") from error


def _time(value: date | time) -> str:
    """A time of TOML; it has no other values that JSON does not have."""
    return value.isoformat()


def _list(task: dict[str, Any], field: str) -> list[Any]:
    found = task.get(field)
    if found is None:
        return []
    if not isinstance(found, list):
        raise TaskError(f"{field} must be a list.")
    return found


def _array(text: str) -> dict[str, Any]:
    """The array of ``NAME:JOBS`` or ``NAME:FIRST-LAST``. Raises :class:`TaskError`."""
    name, _, size = text.rpartition(":")
    first, dash, last = size.partition("-")
    if not name or not first.isdecimal() or (dash and not last.isdecimal()):
        raise TaskError(f"--array {text} must be NAME:JOBS or NAME:FIRST-LAST, like fill:1-1000.")
    if not dash:
        return {"name": name, "jobCount": int(first)}
    if int(last) < int(first):
        raise TaskError(f"--array {text} has no jobs: its last index lies before its first.")
    return {"name": name, "firstIndex": int(first), "jobCount": int(last) - int(first) + 1}


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # Containers may run under a number that has no name.
        return None

"""From the JSON of requests to the input of the services.

Unknown keys are ignored, so that a response of GET can be sent back by POST or PUT. All functions
raise :class:`UserError` for a value of the wrong type; the services check everything else.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

from lamia_gql.domain.errors import ErrorCode, UserError
from lamia_gql.domain.job_details import USAGE
from lamia_gql.domain.lifecycle import EventClass
from lamia_gql.domain.settings import Settings
from lamia_gql.ingest.event_input import NewEvent, camel_case, check_event
from lamia_gql.ingest.task_input import (
    MAX_TAGS,
    ProcessSpec,
    TaskEdit,
    TaskSpec,
    check_number,
)

T = TypeVar("T")
Json = Mapping[str, Any]
LEGACY_EVENT_CLASSES = {"FINISHED": EventClass.DONE}
"""Names that older clients use."""
MAX_TIMESTAMP_S = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
"""Seconds since 1970."""


class NewTask(NamedTuple):
    """A task to create."""

    spec: TaskSpec
    issue_token: bool
    """Whether the answer has a token for its jobs."""


def parse_new_task(name: str, body: Any, settings: Settings, client_address: str | None) -> NewTask:
    """The task to create, from the body of a request."""
    task = require_type(body, dict, "", "an object")
    meta, issue_token = _meta(task), task.get("issueToken")
    spec = TaskSpec(
        name=name,
        processes=_processes(task.get("processes"), settings.max_processes),
        username=_text(task, "username"),
        email=_text(task, "emailNotify"),
        comment=_text(task, "comment"),
        tags=_tags(task),
        submitted_at=_time(meta.get("time"), "_meta.time"),
        hostname=_text(meta, "host", "_meta.host"),
        client_address=client_address,
        config=task.get("config"),
        dependencies=task.get("depGraph"),
    )
    if issue_token is not None:
        require_type(issue_token, bool, "issueToken", "true or false")
    return NewTask(spec, bool(issue_token))


def parse_task_edit(name: str, body: Any) -> TaskEdit:
    """The changes to a task, from the body of a request. Null removes a value."""
    task = require_type(body, dict, "", "an object")
    changes: dict[str, Any] = {}
    for key, field in (
        ("username", "username"),
        ("emailNotify", "email"),
        ("comment", "comment"),
    ):
        if key in task:
            changes[field] = _text(task, key)
    for key, field in (("config", "config"), ("depGraph", "dependencies")):
        if key in task:
            changes[field] = task[key]
    if "tags" in task:
        changes["tags"] = _tags(task)
    return TaskEdit(name, changes)


def parse_named_list(body: Any, limit: int, make: Callable[[str, Any], T]) -> list[T]:
    """Parse at most ``limit`` objects that each have a ``name``.

    ``make`` gets the name and the object.
    """
    tasks: list[Any] = require_type(body, list, "", "a list")
    check_number(len(tasks), limit, "tasks")
    found = []
    for place, each in enumerate(tasks):
        path = f"tasks.{place}"
        require_type(each, dict, path, "an object")
        name = require_type(each.get("name"), str, f"{path}.name", "a string")
        try:
            found.append(make(name, each))
        except UserError as error:
            raise UserError(
                error.code, error.message, f"{path}.{error.field}" if error.field else path
            ) from error
    return found


def parse_event(
    body: Any,
    settings: Settings,
    *,
    task: str,
    process: str,
    index: int | None,
    received_at: datetime,
    client_address: str | None,
) -> NewEvent:
    """An event, from the body of a request or from an entry of it.

    Args:
        body: The JSON object.
        settings: The server's settings, with limits.
        task: The name of the task.
        process: The name of the process.
        index: The index of the job, unless the body has an ``arrayIndex``.
        received_at: The time of receipt.
        client_address: The address that it was sent from.
    """
    given = require_type(body, dict, "", "an object with an `eventClass`")
    meta = _meta(given)
    sent_at = given.get("sentAt")
    sent_at, name = (meta.get("time"), "_meta.time") if sent_at is None else (sent_at, "sentAt")
    own_host, host = _text(given, "hostname"), _text(meta, "host", "_meta.host")
    return check_event(
        settings,
        task=task,
        process=process,
        event_class=parse_event_class(given.get("eventClass"), "eventClass"),
        received_at=received_at,
        index=index if given.get("arrayIndex") is None else parse_array_index(given["arrayIndex"]),
        id=_uuid(given.get("id"), "id"),
        sent_at=_time(sent_at, name),
        progress=_progress(given.get("progress")),
        payload=given.get("payload"),
        hostname=host if own_host is None else own_host,
        client_address=client_address,
        **_details(given),
    )


def _progress(value: Any) -> float | None:
    """A number, or the text of one, which shell scripts send."""
    with suppress(ValueError):
        value = float(value) if isinstance(value, str) else value
    return _number({"progress": value}, "progress")


def parse_submitted_event(
    body: Any, settings: Settings, *, received_at: datetime, client_address: str | None
) -> NewEvent:
    """An event with the names of its task and process, from an entry of a list of them.

    Its keys are those of the input type ``SubmitEventInput`` of GraphQL.

    Args:
        body: The JSON object.
        settings: The server's settings, with limits.
        received_at: The time of receipt.
        client_address: The address that it was sent from.
    """
    if not isinstance(body, dict):
        raise _invalid("An event must be an object with `task`, `process` and `eventClass`.", "")
    index, attempt = body.get("index"), body.get("attempt")
    if body.get("uuid") is not None and body.get("id") is not None:
        raise _invalid("Give `uuid` only: `id` is its former name.", "id")
    return check_event(
        settings,
        task=require_type(body.get("task"), str, "task", "a string"),
        process=require_type(body.get("process"), str, "process", "a string"),
        event_class=parse_event_class(body.get("eventClass"), "eventClass"),
        received_at=received_at,
        index=None if index is None else _integer(index, "index"),
        id=_uuid(body.get("uuid"), "uuid") or _uuid(body.get("id"), "id"),
        attempt=0 if attempt is None else _integer(attempt, "attempt"),
        sent_at=_time(body.get("sentAt"), "sentAt"),
        progress=_number(body, "progress"),
        payload=body.get("payload"),
        hostname=_text(body, "hostname"),
        client_address=client_address,
        **_details(body),
    )


def _details(body: Json) -> dict[str, Any]:
    """The arguments of ``check_event`` for what an event tells beside its class."""
    exit_code, usage = body.get("exitCode"), body.get("usage")
    found: dict[str, Any] = {
        "exit_code": None if exit_code is None else _integer(exit_code, "exitCode"),
        "signal": _text(body, "signal"),
        "message": _text(body, "message"),
        "batch_id": _text(body, "batchId"),
    }
    if usage is not None:
        given = require_type(usage, dict, "usage", "an object")
        found["usage"] = {
            name: _number(given, camel_case(name), f"usage.{camel_case(name)}") for name in USAGE
        }
    return found


def parse_event_class(word: Any, field: str) -> EventClass:
    """The event class with this name or legacy name; ``field`` names the value in errors."""
    if isinstance(word, str):
        if word in LEGACY_EVENT_CLASSES:
            return LEGACY_EVENT_CLASSES[word]
        if word in EventClass.__members__:
            return EventClass[word]
    raise _invalid(f"{field} must be one of {', '.join(EventClass)}.", field)


def parse_array_index(value: Any) -> int:
    """The index of a job, from a query string or a body."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return _integer(value, "arrayIndex")


def require_type(value: Any, kind: type[T], field: str, expected: str) -> T:
    """The value, if it has the type ``kind``, which is called ``expected`` in the error.

    An empty ``field`` means the whole body.
    """
    if isinstance(value, kind):
        return value
    raise _invalid(f"{field or 'The body'} must be {expected}.", field)


def _processes(given: Any, limit: int) -> list[ProcessSpec]:
    if given is None:
        return []
    if isinstance(given, (dict, list)):
        check_number(len(given), limit, "processes")
    if isinstance(given, dict):
        return [
            _parse_short_form(name, size, f"processes.{place}")
            for place, (name, size) in enumerate(given.items())
        ]
    what = "an object from names to sizes, or a list of objects"
    return [
        _parse_long_form(
            require_type(each, dict, f"processes.{place}", "an object"), f"processes.{place}"
        )
        for place, each in enumerate(require_type(given, list, "processes", what))
    ]


def _parse_short_form(name: str, size: Any, path: str) -> ProcessSpec:
    """The process of an entry ``name: null``, ``name: jobs`` or ``name: [jobs, tolerance]``."""
    if size is None:
        return ProcessSpec(name)
    if not isinstance(size, list):
        return ProcessSpec(name, _integer(size, path))
    if len(size) != 2:
        raise _invalid(f"{path} must be null, a number of jobs, or [nJobs, fTolerance].", path)
    tolerance = None if size[1] is None else _integer(size[1], path)
    return ProcessSpec(name, _integer(size[0], path), failure_tolerance=tolerance)


def _parse_long_form(process: Json, path: str) -> ProcessSpec:
    """The process of an object. Without a ``type``, it is an array if it has ``nJobs``."""
    name = require_type(process.get("name"), str, f"{path}.name", "a string")
    size, tolerance = process.get("nJobs"), process.get("fTolerance")
    kind = process.get("type")
    if kind is None:
        kind = "solitary" if size is None else "array"
    if kind not in ("solitary", "array"):
        raise _invalid(f"{path}.type must be `solitary` or `array`.", f"{path}.type")
    if kind == "solitary" and not (size is None and tolerance is None):
        raise _invalid(f"{path} is solitary: nJobs and fTolerance are for arrays only.", path)
    if kind == "array" and size is None:
        raise _invalid(f"{path} is an array: give nJobs.", f"{path}.nJobs")
    return ProcessSpec(
        name,
        None if size is None else _integer(size, f"{path}.nJobs"),
        failure_tolerance=None if tolerance is None else _integer(tolerance, f"{path}.fTolerance"),
        threshold=_number(process, "thresholdProgress", f"{path}.thresholdProgress"),
    )


def _meta(body: Json) -> Json:
    meta = body.get("_meta")
    return {} if meta is None else require_type(meta, dict, "_meta", "an object")


def _tags(task: Json) -> list[str]:
    given = task.get("tags")
    tags = [] if given is None else require_type(given, list, "tags", "a list of strings")
    check_number(len(tags), MAX_TAGS, "tags")
    return [require_type(tag, str, f"tags.{place}", "a string") for place, tag in enumerate(tags)]


def _text(body: Json, key: str, field: str | None = None) -> str | None:
    value = body.get(key)
    return None if value is None else require_type(value, str, field or key, "a string")


def _integer(value: Any, field: str) -> int:
    if type(value) is not int:
        raise _invalid(f"{field} must be a whole number.", field)
    return value


def _number(body: Json, key: str, field: str | None = None) -> float | None:
    value = body.get(key)
    if value is None:
        return None
    if type(value) not in (int, float):
        raise _invalid(f"{field or key} must be a number.", field or key)
    return float(value)


def _uuid(value: Any, field: str) -> uuid.UUID | None:
    if value is None:
        return None
    try:
        return uuid.UUID(require_type(value, str, field, "a UUID"))
    except ValueError:
        raise _invalid(f"{field} must be a UUID.", field) from None


def _time(value: Any, field: str) -> datetime | None:
    """A time: seconds since 1970, as a number or a string, or a string in ISO 8601 format."""
    if value is None:
        return None
    try:
        if isinstance(value, bool):
            raise TypeError
        seconds = float(value)
    except (TypeError, ValueError):
        try:
            return datetime.fromisoformat(value)
        except (TypeError, ValueError):
            what = "a number of seconds since 1970, or a time like 2026-11-24T03:00:00Z"
            raise _invalid(f"{field} must be {what}.", field) from None
    if not (math.isfinite(seconds) and abs(seconds) < MAX_TIMESTAMP_S):
        raise UserError(ErrorCode.TIME_INVALID, f"{field} is outside the calendar.", field)
    return datetime.fromtimestamp(seconds, UTC)


def _invalid(message: str, field: str) -> UserError:
    return UserError(ErrorCode.ARGUMENT_INVALID, message, field or None)

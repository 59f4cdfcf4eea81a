"""What clients hand in: from JSON to what the services take.

What is not named here is ignored, so that an answer can be sent back as it is. Everything raises
:class:`UserError` for a value of the wrong type; whether it makes sense is the services' to say.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from lamia_gql.domain.errors import ErrorCode, UserError
from lamia_gql.domain.lifecycle import EventClass
from lamia_gql.domain.settings import Settings
from lamia_gql.ingest.event_input import NewEvent, check_event
from lamia_gql.ingest.task_input import ProcessSpec, TaskEdit, TaskSpec

T = TypeVar("T")
Json = Mapping[str, Any]
OLD_CLASSES = {"FINISHED": EventClass.DONE}
"""Words that older clients use."""
LATEST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


def task_spec(name: str, body: Any, client_address: str | None) -> TaskSpec:
    """The task that a body describes."""
    task = expect(body, dict, "", "an object")
    meta = _meta(task)
    return TaskSpec(
        name=name,
        processes=_processes(task.get("processes")),
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


def task_edit(name: str, body: Any) -> TaskEdit:
    """The edit that a body describes; what is left out stays, null takes away."""
    task = expect(body, dict, "", "an object")
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


def named(body: Any, make: Callable[[str, Any], T]) -> list[T]:
    """What ``make`` makes of each object of a list, by the ``name`` that it has."""
    found = []
    for place, each in enumerate(expect(body, list, "", "a list")):
        path = f"tasks.{place}"
        expect(each, dict, path, "an object")
        name = expect(each.get("name"), str, f"{path}.name", "a string")
        try:
            found.append(make(name, each))
        except UserError as error:
            raise UserError(
                error.code, error.message, f"{path}.{error.field}" if error.field else path
            ) from error
    return found


def event(
    body: Any,
    settings: Settings,
    *,
    task: str,
    process: str,
    index: int | None,
    received_at: datetime,
    client_address: str | None,
) -> NewEvent:
    """The event that a body describes; its own ``arrayIndex`` comes before ``index``."""
    given = expect(body, dict, "", "an object with an `eventClass`")
    meta = _meta(given)
    sent_at = given.get("sentAt")
    sent_at, name = (meta.get("time"), "_meta.time") if sent_at is None else (sent_at, "sentAt")
    return check_event(
        settings,
        task=task,
        process=process,
        event_class=event_class(given.get("eventClass"), "eventClass"),
        received_at=received_at,
        index=index if given.get("arrayIndex") is None else array_index(given["arrayIndex"]),
        id=_uuid(given.get("id")),
        sent_at=_time(sent_at, name),
        progress=_number(given, "progress"),
        payload=given.get("payload"),
        hostname=_text(meta, "host", "_meta.host"),
        client_address=client_address,
    )


def event_class(word: Any, field: str) -> EventClass:
    """The class of this name, or of this old name."""
    if isinstance(word, str):
        if word in OLD_CLASSES:
            return OLD_CLASSES[word]
        if word in EventClass.__members__:
            return EventClass[word]
    raise _wrong(f"{field} must be one of {', '.join(EventClass)}.", field)


def array_index(value: Any) -> int:
    """A job's index, from a query or a body."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return _integer(value, "arrayIndex")


def expect(value: Any, kind: type[T], field: str, what: str) -> T:
    """The value, if it is of this type; without a ``field``, it is the whole body."""
    if isinstance(value, kind):
        return value
    raise _wrong(f"{field or 'The body'} must be {what}.", field)


def _processes(given: Any) -> list[ProcessSpec]:
    if given is None:
        return []
    if isinstance(given, dict):
        return [
            _short(name, size, f"processes.{place}")
            for place, (name, size) in enumerate(given.items())
        ]
    what = "an object from names to sizes, or a list of objects"
    return [
        _long(expect(each, dict, f"processes.{place}", "an object"), f"processes.{place}")
        for place, each in enumerate(expect(given, list, "processes", what))
    ]


def _short(name: str, size: Any, path: str) -> ProcessSpec:
    """The process of an entry ``name: null``, ``name: jobs`` or ``name: [jobs, tolerance]``."""
    if size is None:
        return ProcessSpec(name)
    if not isinstance(size, list):
        return ProcessSpec(name, _integer(size, path))
    if len(size) != 2:
        raise _wrong(f"{path} must be null, a number of jobs, or [nJobs, fTolerance].", path)
    tolerance = None if size[1] is None else _integer(size[1], path)
    return ProcessSpec(name, _integer(size[0], path), failure_tolerance=tolerance)


def _long(process: Json, path: str) -> ProcessSpec:
    """The process of an object; one with ``nJobs`` is an array where no ``type`` is given."""
    name = expect(process.get("name"), str, f"{path}.name", "a string")
    size, tolerance = process.get("nJobs"), process.get("fTolerance")
    kind = process.get("type")
    if kind is None:
        kind = "solitary" if size is None else "array"
    if kind not in ("solitary", "array"):
        raise _wrong(f"{path}.type must be `solitary` or `array`.", f"{path}.type")
    if kind == "solitary" and not (size is None and tolerance is None):
        raise _wrong(f"{path} is solitary: nJobs and fTolerance are for arrays only.", path)
    if kind == "array" and size is None:
        raise _wrong(f"{path} is an array: give nJobs.", f"{path}.nJobs")
    return ProcessSpec(
        name,
        None if size is None else _integer(size, f"{path}.nJobs"),
        failure_tolerance=None if tolerance is None else _integer(tolerance, f"{path}.fTolerance"),
        threshold=_number(process, "thresholdProgress", f"{path}.thresholdProgress"),
    )


def _meta(body: Json) -> Json:
    meta = body.get("_meta")
    return {} if meta is None else expect(meta, dict, "_meta", "an object")


def _tags(task: Json) -> list[str]:
    given = task.get("tags")
    tags = [] if given is None else expect(given, list, "tags", "a list of strings")
    return [expect(tag, str, f"tags.{place}", "a string") for place, tag in enumerate(tags)]


def _text(body: Json, key: str, field: str | None = None) -> str | None:
    value = body.get(key)
    return None if value is None else expect(value, str, field or key, "a string")


def _integer(value: Any, field: str) -> int:
    if type(value) is not int:
        raise _wrong(f"{field} must be a whole number.", field)
    return value


def _number(body: Json, key: str, field: str | None = None) -> float | None:
    value = body.get(key)
    if value is None:
        return None
    if type(value) not in (int, float):
        raise _wrong(f"{field or key} must be a number.", field or key)
    return float(value)


def _uuid(value: Any) -> uuid.UUID | None:
    if value is None:
        return None
    try:
        return uuid.UUID(expect(value, str, "id", "a UUID"))
    except ValueError:
        raise _wrong("id must be a UUID.", "id") from None


def _time(value: Any, field: str) -> datetime | None:
    """A time: seconds since 1970, as a number or its digits; or the text of ISO 8601."""
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
            raise _wrong(f"{field} must be {what}.", field) from None
    if not (math.isfinite(seconds) and abs(seconds) < LATEST):
        raise UserError(ErrorCode.TIME_INVALID, f"{field} lies outside of the calendar.", field)
    return datetime.fromtimestamp(seconds, UTC)


def _wrong(message: str, field: str) -> UserError:
    return UserError(ErrorCode.ARGUMENT_INVALID, message, field or None)

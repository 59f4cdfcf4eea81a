"""Checks of submitted events, shared by GraphQL and REST."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from lamia_gql.domain.access import ANYONE, Principal
from lamia_gql.domain.counters import MAX_PROGRESS
from lamia_gql.domain.errors import ErrorCode, UserError
from lamia_gql.domain.job_details import BATCH_ID, MAX_ATTEMPT
from lamia_gql.domain.lifecycle import EventClass
from lamia_gql.domain.settings import Settings
from lamia_gql.domain.text_checks import check_text
from lamia_gql.domain.time_zones import in_utc
from lamia_gql.ingest.event_ids import new_event_id

MAX_EXIT_CODE = 2**31 - 1
MAX_SIGNAL_LENGTH = 32
MAX_MESSAGE_BYTES = 1024
MAX_BATCH_ID_LENGTH = 255
MAX_USAGE = 1e18
MAX_TIME_AHEAD = timedelta(days=180)
"""A time a little ahead of the server's clock is corrected; one beyond this is an error."""
MAX_JSON_DEPTH = 100
"""Levels of a JSON value. The answers that contain it are deeper, and JSON libraries limit the
depth that they read or write: ours to 254 levels."""
MICROSECOND: Final = timedelta(microseconds=1)
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)  # frozen, it would take four times as long to make
class NewEvent:
    """A checked event on its way to the recorder."""

    id: str
    task: str
    process: str
    index: int | None
    event_class: EventClass
    attempt: int
    sent_at: datetime | None
    received_at: datetime
    progress: float | None
    payload: str | None
    hostname: str | None
    client_address: str | None
    details: dict[str, Any] | None = None
    """What it tells about its job beside that: see :mod:`lamia_gql.domain.job_details`."""
    principal: Principal = ANYONE
    """Who submits it."""
    may_be_stored: bool = False
    """Whether a former transaction may have stored it, without the database having said so."""


def check_event(
    settings: Settings,
    *,
    task: str,
    process: str,
    event_class: EventClass,
    received_at: datetime,
    index: int | None = None,
    id: uuid.UUID | str | None = None,  # noqa: A002  (the event's own name for it)
    attempt: int = 0,
    sent_at: datetime | None = None,
    progress: float | None = None,
    payload: Any = None,
    hostname: str | None = None,
    client_address: str | None = None,
    exit_code: int | None = None,
    signal: str | None = None,
    message: str | None = None,
    batch_id: str | None = None,
    usage: Mapping[str, float | None] | None = None,
) -> NewEvent:
    """The event, if its values are valid; whether its job exists is for the recorder to check.

    Raises :class:`UserError` for an invalid progress, attempt, time, payload, text or usage.

    Args:
        settings: the server's settings, for their limits.
        task: the name of the task.
        process: the name of the process.
        event_class: the class of the event.
        received_at: when the server received it.
        index: the index of the job in an array.
        id: the client's id of the event, in lower case; None for a new one.
        attempt: how often the job was restarted.
        sent_at: when the client sent it; taken as UTC without a time zone.
        progress: the reported progress.
        payload: any JSON value.
        hostname: the host name that the job reports.
        client_address: the address from which the request came.
        exit_code: with which code the job ended, of 32 bits.
        signal: the name of the signal that ended it.
        message: why it ended or is held.
        batch_id: its id in the batch system.
        usage: what it has used: numbers by the names in ``job_details.USAGE``.
    """
    if progress is not None and not (math.isfinite(progress) and 0 <= progress <= MAX_PROGRESS):
        raise UserError(
            ErrorCode.PROGRESS_INVALID,
            f"progress must be a finite number from 0 to {MAX_PROGRESS:g}, not {progress}.",
            "progress",
        )
    if not 0 <= attempt <= MAX_ATTEMPT:
        raise UserError(
            ErrorCode.ATTEMPT_INVALID, f"attempt must be from 0 to {MAX_ATTEMPT}.", "attempt"
        )
    return NewEvent(
        id=new_event_id() if id is None else str(id),
        task=task,
        process=process,
        index=index,
        event_class=event_class,
        attempt=attempt,
        sent_at=check_time(sent_at, received_at, "sentAt"),
        received_at=received_at,
        progress=progress,
        payload=encode_json(
            payload, settings.max_payload_bytes, ErrorCode.PAYLOAD_TOO_LARGE, "payload"
        ),
        hostname=check_text(hostname, settings.max_text_length, "hostname"),
        client_address=client_address,
        details=_details(exit_code, signal, message, batch_id, usage),
    )


def _details(
    exit_code: int | None,
    signal: str | None,
    message: str | None,
    batch_id: str | None,
    usage: Mapping[str, float | None] | None,
) -> dict[str, Any] | None:
    details: dict[str, Any] = {}
    if exit_code is not None:
        if not -MAX_EXIT_CODE <= exit_code <= MAX_EXIT_CODE:
            raise UserError(
                ErrorCode.EXIT_CODE_INVALID, "exitCode must be an integer of 32 bits.", "exitCode"
            )
        details["exit_code"] = exit_code
    if signal:
        details["signal"] = check_text(signal, MAX_SIGNAL_LENGTH, "signal")
    if message:
        details["message"] = check_text(message, MAX_MESSAGE_BYTES, "message")
        if len(message.encode()) > MAX_MESSAGE_BYTES:
            raise UserError(
                ErrorCode.TEXT_INVALID,
                f"message has {len(message.encode())} bytes; at most {MAX_MESSAGE_BYTES} are"
                " allowed.",
                "message",
            )
    if batch_id:
        details[BATCH_ID] = check_text(batch_id, MAX_BATCH_ID_LENGTH, "batchId")
    for name, value in (usage or {}).items():
        if value is None:
            continue
        if not (math.isfinite(value) and 0 <= value <= MAX_USAGE):
            raise UserError(
                ErrorCode.USAGE_INVALID,
                f"usage.{camel_case(name)} must be a finite number from 0 to {MAX_USAGE:g}, not"
                f" {value}.",
                f"usage.{camel_case(name)}",
            )
        details[name] = value
    return details or None


def camel_case(name: str) -> str:
    """The name of a field as clients write it: ``cpuSeconds`` for ``cpu_seconds``."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def arrival_times(now: datetime, number: int) -> list[datetime]:
    """The times of arrival of so many events of one request, a microsecond apart.

    They keep the order of events that have no time of their own.
    """
    return [now + position * MICROSECOND for position in range(number)]


def check_time(time: datetime | None, now: datetime, field: str) -> datetime | None:
    """The time in UTC. Raises :class:`UserError`."""
    if time is None:
        return None
    try:
        time = in_utc(time)
    except OverflowError:
        time = EARLIEST - timedelta(days=1)
    if time < EARLIEST or time > now + MAX_TIME_AHEAD:
        raise UserError(
            ErrorCode.TIME_INVALID,
            f"{field} must be between 1970 and {MAX_TIME_AHEAD.days} days ahead of the server's"
            f" clock, which is at {now.isoformat(timespec='seconds')}.",
            field,
        )
    return time


def encode_json(value: Any, limit: int, too_large: ErrorCode, field: str) -> str | None:
    """A JSON value as compact text; None for None. Raises :class:`UserError`."""
    if value is None:
        return None
    try:
        encoded = orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        raise UserError(
            ErrorCode.JSON_INVALID, f"{field} can't be stored: {error}.", field
        ) from error
    if len(encoded) > limit:
        raise UserError(
            too_large,
            f"{field} has {len(encoded)} bytes of JSON; the server accepts at most {limit}.",
            field,
        )
    if _is_deeper(value, encoded, MAX_JSON_DEPTH):
        raise UserError(
            ErrorCode.JSON_INVALID,
            f"{field} is nested deeper than {MAX_JSON_DEPTH} levels.",
            field,
        )
    if b"null" in encoded and not _is_finite(value):
        raise UserError(ErrorCode.JSON_INVALID, f"{field} has a number that is not finite.", field)
    return encoded.decode()


def _is_finite(value: Any) -> bool:
    # JSON has only finite numbers. A GraphQL literal like 1e999 is infinite, and would become null.
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def _is_deeper(value: Any, encoded: bytes, limit: int) -> bool:
    # Nearly every value has too few brackets to be deep; counting is a hundred times faster.
    if encoded.count(b"[") + encoded.count(b"{") <= limit:
        return False
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(limit):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
    return bool(level)

"""Events of jobs, as adapters make them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lamia_gql.client.event import Event
from lamia_gql.client.event_details import MAX_BATCH_ID_LENGTH, clean_message


def batch_event(
    event_id: str,
    event_class: str,
    sent_at_s: float,
    *,
    task: str,
    process: str,
    index: int | None,
    attempt: int = 0,
    batch_id: str | None = None,
    hostname: str | None = None,
    exit_code: int | None = None,
    signal: str | None = None,
    message: str | None = None,
    usage: Mapping[str, float | None] | None = None,
    payload: Any = None,
) -> Event:
    """Return an event with those fields that are known.

    Args:
        event_id: from :func:`lamia_gql.adapters.event_id.event_id`.
        event_class: SUBMITTED, STARTED, BEAT, HELD, DONE, FAILED or TERMINATED.
        sent_at_s: when it happened, in seconds since 1970. The events of a job must differ in it.
        task: name of the task.
        process: name of the process.
        index: index in the array. It is left out if the server says that the process is solitary.
        attempt: how often this submission was restarted before.
        batch_id: the batch system's own id of the job.
        hostname: the node, by its name in the batch system.
        exit_code: what the program returned.
        signal: name of the signal that ended it, such as SIGKILL.
        message: the reason, in words. It is cut to what the server takes.
        usage: resources by their names in ``UsageInput``; None for those that are not known.
        payload: any JSON.
    """
    known = {name: value for name, value in (usage or {}).items() if value is not None}
    fields = {
        "id": event_id,
        "task": task,
        "process": process,
        "index": index,
        "eventClass": event_class,
        "sentAt": datetime.fromtimestamp(sent_at_s, UTC).isoformat(timespec="microseconds"),
        "attempt": attempt,
        "batchId": batch_id[:MAX_BATCH_ID_LENGTH] if batch_id else None,
        "hostname": hostname or None,
        "exitCode": exit_code,
        "signal": signal,
        "message": clean_message(message or "") or None,
        "usage": known or None,
        "payload": payload,
    }
    present = {name: value for name, value in fields.items() if value is not None}
    return Event(present, index_found=True)

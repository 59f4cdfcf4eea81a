"""``lamia-job emit --batch``: events of any jobs, as lines of JSON."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping

from lamia_gql.client.configuration import JobIdentity, ServerConfig, find_job
from lamia_gql.client.event import Event, new_id
from lamia_gql.client.event_clock import EventClock
from lamia_gql.client.event_details import DETAIL_FIELDS, make_details
from lamia_gql.client.priorities import PRIORITIES
from lamia_gql.client.sender import Sender
from lamia_gql.client.warning_log import WarningLog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CLOSE_TIMEOUT_S = 5.0
"""How long the server has to accept the last events."""
MAX_REPORTED_LINES = 10
JOB_FIELDS = ("task", "process", "index")
"""The fields that say which job an event belongs to."""
OTHER_FIELDS = ("id", "uuid", "attempt", "eventClass", "progress", "payload", "sentAt", "hostname")


class EventStream:
    """Sends events as they come in, in few requests.

    Fields that a line does not have are those of this job. If a line names another job, only the
    task and the process are taken from this one.

    Args:
        server: Where to send the events.
        environ: The variables that tell about this job.
        task: The task of lines that name none. Defaults to LAMIA_TASK.
        process: The process of lines that name none. Defaults to LAMIA_PROCESS.
        index: The index of this job: see ``Job``.
        attempt: How often this job was restarted: see ``Job``.
    """

    def __init__(
        self,
        server: ServerConfig,
        environ: Mapping[str, str],
        *,
        task: str | None = None,
        process: str | None = None,
        index: str | None = None,
        attempt: int | None = None,
    ) -> None:
        self._task = task or environ.get("LAMIA_TASK")
        self._process = process or environ.get("LAMIA_PROCESS")
        self._identity: JobIdentity | None = None
        if self._task and self._process:
            self._identity = find_job(
                environ, task=task, process=process, index=index, attempt=attempt
            )
        self._clock = EventClock()
        self._warnings = WarningLog()
        self._sender = Sender(server, None, self._warnings)

    def send(self, lines: Iterable[bytes]) -> int:
        """Send the events of lines until these end; returns how many lines were not valid.

        Warns of them, and of lines that can't be read, and sends the others.
        """
        invalid = 0
        try:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    event = self._parse(line)
                except (ValueError, TypeError, RecursionError) as error:
                    invalid += 1
                    if invalid <= MAX_REPORTED_LINES:
                        self._warnings.warn(
                            f"line {number}", f"Line {number} is not sent: {error}."
                        )
                    continue
                if event is not None:
                    self._sender.wait_for_room()
                    self._sender.put(event)
        except OSError as error:
            self._warnings.warn("lines", f"No more lines can be read: {error.strerror}.")
        finally:
            try:
                self._sender.close(CLOSE_TIMEOUT_S)
            except KeyboardInterrupt:
                self._sender.close(0.0)  # spools what waits
                raise
        if invalid > MAX_REPORTED_LINES:
            self._warnings.warn("invalid", f"{invalid} lines are not sent.")
        return invalid

    def _parse(self, line: bytes) -> Event | None:
        """Return the event of a line, or None if it is of a rank that does not report."""
        found = json.loads(line, parse_constant=_refuse_constant)
        if not isinstance(found, dict):
            raise ValueError("it is not a JSON object")
        unknown = found.keys() - {*JOB_FIELDS, *OTHER_FIELDS, *DETAIL_FIELDS}
        if unknown:
            raise ValueError(f"{min(unknown)!r} is not a field of an event")
        if found.get("eventClass") not in PRIORITIES:
            raise ValueError(f"eventClass is none of {', '.join(PRIORITIES)}")
        progress = found.get("progress")
        if isinstance(progress, float) and not math.isfinite(progress):
            raise ValueError("progress is not a finite number")
        is_own = found.keys().isdisjoint(JOB_FIELDS)
        identity = self._identity if is_own else None
        if identity is not None and not identity.reports:
            return None
        for name, default in (("task", self._task), ("process", self._process)):
            if not isinstance(found.setdefault(name, default), str):
                raise ValueError(f"{name} is not a text, or missing")
        return self._make_event(found, identity)

    def _make_event(self, found: dict[str, Any], identity: JobIdentity | None) -> Event:
        host = os.uname().nodename
        fields: dict[str, Any] = {"sentAt": self._clock.next()}
        # The server must not correct the time of another clock.
        clock_host = host if found.get("sentAt") is None else None
        details = {name: found.pop(name, None) for name in DETAIL_FIELDS}
        if identity is not None:
            fields["attempt"] = identity.attempt
            fields["hostname"] = identity.hostname or host
            fields["index"] = identity.job_index
            details["batchId"] = details["batchId"] or identity.batch_id
        fields.update((name, value) for name, value in found.items() if value is not None)
        fields["id"] = fields.pop("uuid", None) or fields.get("id") or new_id()
        fields.update(
            make_details(
                exit_code=details["exitCode"],
                signal_name=details["signal"],
                message=details["message"],
                batch_id=details["batchId"],
                usage=details["usage"],
            )
        )
        present = {name: value for name, value in fields.items() if value is not None}
        index_found = identity is not None and identity.index_found
        return Event(present, index_found, clock_host=clock_host)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")

"""Nextflow's messages, as it posts them with ``-with-weblog``, become events.

A process is an array, and each task of it a job. What Nextflow says of a task is repeated in each
later message about it, so each message gives all events that are known by then, with ids that
follow from what it says: an event that was lost comes with the next message, and one that came
already is a duplicate.

A task that is tried again has a new number. Only its name tells which job it is, so the ids of
failures follow from the name: a new try continues the first job of its name that has failed and was
not tried again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lamia_gql.adapters.event_id import event_id
from lamia_gql.client.event_details import clean_message

SOURCE = "nextflow"
RUN_PROCESS = "nextflow"
"""The solitary process of the run itself. It ends last, so that the task does, too."""
MAX_FAILURES = 32
"""How many failures of tasks of one name are told apart."""
MAX_SECONDS = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
UNKNOWN_EXIT = 2**31 - 1
"""What Nextflow says where there is no exit code."""
ENDS = {"COMPLETED": "DONE", "FAILED": "FAILED", "ABORTED": "TERMINATED"}
TASK_MESSAGES = ("process_submitted", "process_started", "process_completed", "error")
RUN_MESSAGES = ("started", "completed")
MAX_NAME_CHARACTERS = 200


class MessageError(ValueError):
    """The value is not a message of Nextflow; a sentence."""


@dataclass(frozen=True, slots=True)
class NextflowRun:
    """A run of a workflow: one call of ``nextflow run``."""

    id: str
    """The session, which a run with ``-resume`` has in common with the one that it resumes."""
    name: str

    def event_id(self, time_s: float, *parts: str | int) -> str:
        """The id of something that happened in this run."""
        return event_id(time_s, SOURCE, self.id, self.name, *parts)


@dataclass(frozen=True, slots=True)
class RunMessage:
    """A run has begun, or ended."""

    run: NextflowRun
    is_end: bool
    time_s: float
    workflow: Mapping[str, Any]
    """What Nextflow says about the workflow."""

    def events(self) -> list[dict[str, Any]]:
        """The events of the run as a job, without the name of its task."""
        start = _iso_seconds(self.workflow.get("start")) or self.time_s
        events = [self._event("STARTED", self.time_s if not self.is_end else start)]
        if self.is_end:
            done = self.workflow.get("success") is True
            end = self._event("DONE" if done else "FAILED", self.time_s)
            end["exitCode"] = _exit_code(self.workflow.get("exitStatus"))
            if not done:
                end["message"] = _clean(self.workflow.get("errorMessage"))
            events.append(end)
        return events

    def _event(self, event_class: str, time_s: float) -> dict[str, Any]:
        command = self.workflow.get("commandLine")
        return {
            # There is one of each, whatever the times say.
            "uuid": self.run.event_id(0.0, event_class),
            "process": RUN_PROCESS,
            "eventClass": event_class,
            "sentAt": _time(time_s),
            "batchId": self.run.name,
            "payload": {"run": self.run.name, "command": command},
        }


@dataclass(frozen=True, slots=True)
class TaskMessage:
    """What a message tells about one try of a task."""

    run: NextflowRun
    number: int
    """The number of the try in the run: ``task_id``."""
    process: str
    name: str
    attempt: int
    """How often the task was tried before, in this run."""
    time_s: float
    trace: Mapping[str, Any]

    @property
    def end_class(self) -> str | None:
        """The class of the event by which the try has ended; None if it has not."""
        return ENDS.get(str(self.trace.get("status")))

    @property
    def submission_id(self) -> str:
        """The id of the event by which the try began."""
        return self.run.event_id(self._seconds("submit") or 0.0, self.number, "SUBMITTED")

    @property
    def failure_ids(self) -> list[str]:
        """The ids of all failures of tasks of this name, in any run."""
        return [
            event_id(0.0, SOURCE, self.run.id, self.process, self.name, "FAILED", number)
            for number in range(MAX_FAILURES)
        ]

    def is_own(self, payload: Mapping[str, Any]) -> bool:
        """Whether the event with this payload is one of this try."""
        return payload.get("run") == self.run.name and payload.get("taskId") == self.number

    def may_continue(self, failure: Mapping[str, Any]) -> bool:
        """Whether the try may be the next one of a job, by the payload of its last failure."""
        return self.attempt > 0 or failure.get("run") != self.run.name

    def events(self, index: int, failure_id: str | None) -> list[dict[str, Any]]:
        """The events of the try that are known by now, without the name of the task.

        Args:
            index: the index of the job.
            failure_id: the id of the event of its end, if that is a failure.
        """
        submitted = self._event(index, "SUBMITTED", "submit")
        submitted["uuid"] = self.submission_id
        details = ("tag", "hash", "workdir", "container", "queue")
        found = {key: self.trace[key] for key in details if self.trace.get(key)}
        submitted["payload"] |= {"name": self.name} | found
        events = [submitted]
        if self._seconds("start"):
            events.append(self._event(index, "STARTED", "start"))
        if self.end_class is not None:
            end = self._event(index, self.end_class, "complete")
            if failure_id is not None:
                end["uuid"] = failure_id
            end["exitCode"] = _exit_code(self.trace.get("exit"))
            end["usage"] = self._usage() or None
            action = self.trace.get("error_action")
            if action:
                end["payload"]["errorAction"] = action
            if self.end_class == "TERMINATED":
                end["message"] = "Nextflow has aborted the task."
            events.append(end)
        return events

    def _event(self, index: int, event_class: str, time: str) -> dict[str, Any]:
        at = self._seconds(time) or self.time_s
        native_id = self.trace.get("native_id")
        return {
            # An end has one id, even if its message comes without a time.
            "uuid": self.run.event_id(self._seconds(time) or 0.0, self.number, event_class),
            "process": self.process,
            "index": index,
            "eventClass": event_class,
            # Each try is a submission of its own, so the server counts them.
            "sentAt": _time(at),
            "batchId": f"{self.run.name}.{self.number}" if native_id is None else str(native_id),
            "hostname": self.trace.get("hostname") or None,
            "payload": {"run": self.run.name, "taskId": self.number},
        }

    def _seconds(self, name: str) -> float | None:
        """A time or a duration of the trace, in seconds; None for none, also for 0."""
        milliseconds = _number(self.trace.get(name))
        return min(milliseconds / 1000, MAX_SECONDS) if milliseconds else None

    def _usage(self) -> dict[str, float]:
        percent, seconds = _number(self.trace.get("%cpu")), self._seconds("realtime")
        usage = {
            "cpuSeconds": None if percent is None or not seconds else percent / 100 * seconds,
            "wallSeconds": seconds,
            "maxRssBytes": _number(self.trace.get("peak_rss")),
            "readBytes": _number(self.trace.get("rchar")),
            "writeBytes": _number(self.trace.get("wchar")),
            "cpus": _number(self.trace.get("cpus")),
            "requestedMemoryBytes": _number(self.trace.get("memory")),
        }
        return {name: value for name, value in usage.items() if value is not None}


def parse_message(message: Any) -> RunMessage | TaskMessage | None:
    """What a message tells; None if it tells nothing about a run or a task.

    Raises :class:`MessageError`.
    """
    if not isinstance(message, dict):
        raise MessageError("A message of Nextflow is an object.")
    event = message.get("event")
    run = NextflowRun(_text(message, "runId"), _text(message, "runName"))
    time_s = _iso_seconds(message.get("utcTime"))
    if time_s is None:
        raise MessageError("The message has no valid utcTime.")
    if event in RUN_MESSAGES:
        metadata = message.get("metadata")
        workflow = metadata.get("workflow") if isinstance(metadata, dict) else None
        known = workflow if isinstance(workflow, dict) else {}
        return RunMessage(run, event == "completed", time_s, known)
    if event not in TASK_MESSAGES:
        raise MessageError(f"{event!r} is not an event of Nextflow.")
    trace = message.get("trace")
    if trace is None:
        return None  # an error of the workflow that is not one of a task
    if not isinstance(trace, dict):
        raise MessageError("The trace of the message is not an object.")
    number = _number(trace.get("task_id"))
    if number is None:
        raise MessageError("The trace of the message has no task_id.")
    process = _text(trace, "process")
    return TaskMessage(
        run,
        int(number),
        process.replace("/", "_")[:MAX_NAME_CHARACTERS],
        str(trace.get("name") or process),
        max(int(_number(trace.get("attempt")) or 1) - 1, 0),
        time_s,
        trace,
    )


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise MessageError(f"The message has no {name}.")
    return value


def _number(value: Any) -> float | None:
    """The value, if it is a number that is not negative; Nextflow sends some as texts."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _exit_code(value: Any) -> int | None:
    number = _number(value)
    return None if number is None or number >= UNKNOWN_EXIT else int(number)


def _iso_seconds(value: Any) -> float | None:
    """A time of Nextflow, in seconds since 1970."""
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return at.replace(tzinfo=at.tzinfo or UTC).timestamp()


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _clean(text: Any) -> str | None:
    """The text, as far as it fits into the message of an event."""
    return clean_message(text) or None if isinstance(text, str) else None

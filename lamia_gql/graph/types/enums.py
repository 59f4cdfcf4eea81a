"""The enums of the schema, which are those of the domain, with a description of each value."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, cast

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from lamia_gql.domain.access import ROLE_MEANINGS, Role
from lamia_gql.domain.errors import MEANINGS, ErrorCode
from lamia_gql.domain.lifecycle import EventClass, JobState
from lamia_gql.domain.liveness import Liveness
from lamia_gql.domain.notifications import Occasion
from lamia_gql.domain.progress import Outlook, ProcessKind, ProgressBasis, State
from lamia_gql.storage.queries.failure_statements import FailureKey
from lamia_gql.storage.queries.tasks import Direction, TaskOrderField


def _publish(enum: type[StrEnum], description: str, values: Mapping[Any, str]) -> None:
    """Add an enum to the schema. Raises ``KeyError`` if a value has no description."""
    strawberry.enum(enum, description=description)
    definition = cast(StrawberryEnumDefinition, enum.__dict__["__strawberry_definition__"])
    for value in definition.values:
        value.description = values[enum(value.value)]


_publish(
    EventClass,
    "What an event reports about its job.",
    {
        EventClass.SUBMITTED: "The job was submitted to a batch system.",
        EventClass.STARTED: "The job started to run. Sent again after a restart.",
        EventClass.READY: "The job has finished its set-up and begins its actual work.",
        EventClass.BEAT: "The job is alive (heartbeat).",
        EventClass.PROGRESS: "The job is alive; usually sent with a progress value.",
        EventClass.DONE: "The job ended successfully.",
        EventClass.FAILED: "The job failed.",
        EventClass.TERMINATED: "The job was ended from outside, for example by the batch system.",
        EventClass.HELD: "The job is held or suspended, until it starts, is submitted or ends.",
    },
)
_publish(
    JobState,
    "Lifecycle state of a job.",
    {
        JobState.PENDING: "No event has been received.",
        JobState.SUBMITTED: "The job waits in a batch system.",
        JobState.RUNNING: "The job is running.",
        JobState.DONE: "The job ended successfully.",
        JobState.FAILED: "The job failed.",
        JobState.TERMINATED: "The job was ended from outside, for example by the batch system.",
        JobState.HELD: "The job is held or suspended: somebody must release it.",
    },
)
_publish(
    State,
    "Lifecycle state of a task or process.",
    {
        State.PENDING: "No event has been received from any job.",
        State.SUBMITTED: "Jobs wait in a batch system, and none has started.",
        State.RUNNING: "Jobs have started, and the result is still open.",
        State.SUCCEEDED: (
            "A solitary process: its job is DONE. An array: its threshold is reached or, without a"
            " threshold, all jobs have ended and no more of them without success than tolerated."
            " A task: all its processes have succeeded."
        ),
        State.FAILED: (
            "A process: all jobs have ended, and it has not succeeded. A task: all processes have"
            " ended, and at least one has failed."
        ),
    },
)
_publish(
    Outlook,
    "Whether a task or process can still succeed.",
    {
        Outlook.ON_TRACK: (
            "No job has failed, is LOST or HELD; or the task or process has succeeded."
        ),
        Outlook.AT_RISK: "Jobs have failed, within the tolerance, or are LOST or HELD.",
        Outlook.CANNOT_SUCCEED: "Success is impossible, although jobs may still be running.",
    },
)
_publish(
    Liveness,
    "Whether a RUNNING job still sends events. It is computed when it is queried: the next event"
    " makes the job ALIVE again.",
    {
        Liveness.ALIVE: "The last sign of life is less than two beat intervals old.",
        Liveness.LATE: "No sign of life for two beat intervals or more.",
        Liveness.LOST: "No sign of life for five beat intervals or more.",
    },
)
_publish(
    Occasion,
    "On what there are notifications of a task.",
    {
        Occasion.SUCCEEDED: "The task has succeeded.",
        Occasion.FAILED: "The task has failed: all its jobs have ended.",
        Occasion.CANNOT_SUCCEED: "The task cannot succeed, although jobs may still run.",
        Occasion.SILENT: (
            "The task is RUNNING, and there was no event for five times the longest beat interval"
            " of its processes whose jobs run; without any interval, for the time in the server's"
            " setting."
        ),
    },
)
_publish(
    ProcessKind,
    "Kind of a process.",
    {
        ProcessKind.ARRAY: "Many jobs of the same kind, each addressed by an index.",
        ProcessKind.SOLITARY: "A single job.",
    },
)
_publish(
    ProgressBasis,
    "What a progress counts. It depends on whether the process has a threshold, and on whether its"
    " jobs report progress values.",
    {
        ProgressBasis.DONE_JOBS: (
            "Number of DONE jobs, out of all jobs. No threshold; the jobs report no values."
        ),
        ProgressBasis.PERCENT: (
            "Percent. For a process, the sum over all jobs, so that the target is 100 times the"
            " number of jobs. No threshold."
        ),
        ProgressBasis.DONE_OF_THRESHOLD: (
            "Number of DONE jobs, out of the threshold. The jobs report no values."
        ),
        ProgressBasis.VALUE_OF_THRESHOLD: (
            "Sum of the latest values that the jobs reported, out of the threshold."
        ),
    },
)
_publish(
    FailureKey,
    "What failures can be grouped by.",
    {
        FailureKey.EXIT: "Exit code and signal.",
        FailureKey.MESSAGE: "Message, without the parts that vary from job to job.",
        FailureKey.HOST: "Host.",
    },
)
_publish(
    TaskOrderField,
    "What tasks can be ordered by.",
    {
        TaskOrderField.NAME: "Name of the task.",
        TaskOrderField.RECEIVED_AT: "When the server created the task.",
        TaskOrderField.SUBMITTED_AT: "When the task was submitted, as reported by the client.",
        TaskOrderField.LAST_EVENT_AT: (
            "Time of the latest event. Tasks without events count as the oldest."
        ),
        TaskOrderField.FINISHED_AT: (
            "When the task succeeded or failed. Unfinished tasks count as the oldest."
        ),
        TaskOrderField.ATTENTION: (
            "How much attention the task needs now. From the most: unfinished and CANNOT_SUCCEED;"
            " unfinished and AT_RISK; stalled; FAILED in the last 24 hours; any other unfinished"
            " one; FAILED earlier; SUCCEEDED."
        ),
    },
)
_publish(
    Direction,
    "Direction of an order.",
    {
        Direction.ASC: "Ascending: the smallest or oldest first.",
        Direction.DESC: "Descending: the largest or newest first.",
    },
)
_publish(
    ErrorCode,
    "Stable code of an error, for programs.",
    {code: MEANINGS[code] for code in ErrorCode},
)
_publish(Role, "What the bearer of a credential may do.", ROLE_MEANINGS)

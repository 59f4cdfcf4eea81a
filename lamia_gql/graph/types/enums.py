"""The enums of the schema: those of the pure modules, with what each value means."""

from __future__ import annotations

from enum import StrEnum
from typing import cast

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from lamia_gql.domain.errors import MEANINGS, ErrorCode
from lamia_gql.domain.lifecycle import EventClass, JobState
from lamia_gql.domain.progress import Liveness, Outlook, ProcessKind, ProgressBasis, State
from lamia_gql.storage.queries.tasks import Direction, TaskOrderField


def _publish(enum: type[StrEnum], description: str, values: dict[StrEnum, str]) -> None:
    """Make an enum one of the schema's; every value must be described."""
    strawberry.enum(enum, description=description)
    definition = cast(StrawberryEnumDefinition, enum.__dict__["__strawberry_definition__"])
    for value in definition.values:
        value.description = values[enum(value.value)]


_publish(
    EventClass,
    "What a job says with an event.",
    {
        EventClass.SUBMITTED: "It was handed to the batch system.",
        EventClass.STARTED: "It began to run; again, where it was restarted.",
        EventClass.READY: "It has set itself up and begins its real work.",
        EventClass.BEAT: "It is alive.",
        EventClass.PROGRESS: "It is alive, and usually says how far it is.",
        EventClass.DONE: "It ended with success.",
        EventClass.FAILED: "It ended without success.",
        EventClass.TERMINATED: "It was ended by somebody else.",
    },
)
_publish(
    JobState,
    "Where a job is in its life.",
    {
        JobState.PENDING: "Nothing was heard of it yet.",
        JobState.SUBMITTED: "It waits in a batch system.",
        JobState.RUNNING: "It runs.",
        JobState.DONE: "It ended with success.",
        JobState.FAILED: "It ended without success.",
        JobState.TERMINATED: "It was ended by somebody else.",
    },
)
_publish(
    State,
    "Where a process or a task is.",
    {
        State.PENDING: "Nothing was heard of its jobs yet.",
        State.SUBMITTED: "Jobs wait in a batch system; none has run.",
        State.RUNNING: "Jobs have begun, and it is not decided yet.",
        State.SUCCEEDED: "It has reached what was asked for.",
        State.FAILED: "All has ended without reaching it.",
    },
)
_publish(
    Outlook,
    "Whether a process or a task can still succeed.",
    {
        Outlook.ON_TRACK: "Nothing speaks against it.",
        Outlook.AT_RISK: "Jobs have failed, within what is tolerated, or are lost.",
        Outlook.CANNOT_SUCCEED: "It can't any more, though jobs may still run.",
    },
)
_publish(
    Liveness,
    "Whether a running job is still heard of; reversible: a beat revives it.",
    {
        Liveness.ALIVE: "Heard of within two beat intervals.",
        Liveness.LATE: "Silent for two beat intervals or more.",
        Liveness.LOST: "Silent for five beat intervals or more.",
    },
)
_publish(
    ProcessKind,
    "The two kinds of process.",
    {
        ProcessKind.ARRAY: "Many jobs of a kind, addressed by an index.",
        ProcessKind.SOLITARY: "A single job.",
    },
)
_publish(
    ProgressBasis,
    "What a progress is counted in: it depends on whether the process has a threshold, and on"
    " whether its jobs report numbers.",
    {
        ProgressBasis.DONE_JOBS: "Jobs DONE, of all jobs. No threshold; jobs report nothing.",
        ProgressBasis.PERCENT: "Percent, by the jobs' own word. No threshold.",
        ProgressBasis.DONE_OF_THRESHOLD: (
            "Jobs DONE, of as many as the threshold asks for. Jobs report nothing."
        ),
        ProgressBasis.VALUE_OF_THRESHOLD: (
            "The sum of what the jobs report, of as much as the threshold asks for."
        ),
    },
)
_publish(
    TaskOrderField,
    "What tasks can be ordered by.",
    {
        TaskOrderField.NAME: "The name.",
        TaskOrderField.RECEIVED_AT: "When the server was told of the task.",
        TaskOrderField.SUBMITTED_AT: "When the task was submitted, by its own word.",
        TaskOrderField.LAST_EVENT_AT: "The time of the latest event; tasks without come as oldest.",
        TaskOrderField.FINISHED_AT: "When the task ended; tasks that have not come as oldest.",
    },
)
_publish(
    Direction,
    "Which way a list goes.",
    {
        Direction.ASC: "The smallest, or oldest, first.",
        Direction.DESC: "The largest, or newest, first.",
    },
)
_publish(ErrorCode, "The stable name of a problem.", {code: MEANINGS[code] for code in ErrorCode})

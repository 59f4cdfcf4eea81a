"""What a history may contain: behaviours of people and programs, and faults."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from tests.simulation.faults import Fault


class Behaviour(StrEnum):
    """What clients, jobs and operators do; a run can leave some out."""

    RESEND = "events are sent again"
    REPEAT = "a request has one of its events twice"
    TOGETHER = "several requests come at once"
    EDIT_TASK = "tasks are edited"
    ADD_PROCESS = "processes are added to tasks"
    RECREATE_TASK = "tasks are deleted, and made again under the same name"
    WALK_JOBS = "jobs are paged through"
    WALK_EVENTS = "events are paged through"
    WALK_TASKS = "tasks are paged through"
    WATCH_EVENTS = "events are subscribed to"
    WATCH_TASK = "changes of a task are subscribed to"
    WATCH_ALL = "changes of all tasks are subscribed to"
    STALL = "a subscriber stops to read"
    CUT = "a subscriber is cut, and resumes from its last cursor"
    STALE_CURSOR = "a cursor of an earlier task of the same name is used"
    FORGED_CURSOR = "a cursor holds a number beyond all bounds"
    RESTART = "a server is restarted"
    THRESHOLD = "an array has a threshold that its jobs meet in equal parts"
    PAYLOAD = "events have payloads"
    NUMBER_ON_END = "an event that is not PROGRESS has a number"
    CLOCK_SKEW = "a client's clock is wrong"
    JOB_SIDE = "a job tells by the library, with a spool"
    JOB_CLOCK_AHEAD = "the clock of such a job is ten minutes ahead"
    JOB_LARGE_PAYLOAD = "such a job ends with a payload larger than any request may be"
    JOB_MISTYPED_CLASS = "such a job mistypes an event class"
    JOB_SMALL_PROXY = "a proxy refuses all but small requests of such a job"
    WRAPPED_PROGRAM = "a program is run by lamia-job run"


Enabled = Collection[Behaviour | Fault]
EVERYTHING: Enabled = (*Behaviour, *Fault)

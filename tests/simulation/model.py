"""What must be true: a pure model of tasks, events and what follows from them.

Written from ``docs/concepts.md``, without a look at how the server computes it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Any, NamedTuple

from tests.simulation.steps import JSON, Event, Process


class Property(StrEnum):
    """What must hold."""

    ONCE = "an acknowledged event is there exactly once, any other at most once"
    ABSENT = "what was refused is not there"
    FAITHFUL = "an event is there as it was sent"
    ANSWER = "an answer agrees with what is known"
    INTERNAL = "no request ends in an internal error"
    DEADLINE = "every request is answered within its deadline"
    OTHERS = "while one task is locked, the others go ahead"
    RECOVERY = "after the faults stop, writing works again within seconds"
    COUNTERS = "counters and states follow from the events"
    RECOUNT = "counters equal a recount"
    ENOUGH = "it is enough when the numbers add up to the threshold"
    PAGES = "pages lose nothing that was there throughout, and have nothing twice"
    CURSOR = "a cursor of another task is refused"
    SUBSCRIBER = "a subscriber that resumes sees exactly the events, in order"
    SNAPSHOT = "the last snapshot of a task equals a query"
    END = "a subscription to a deleted task ends"
    JOB_SIDE = "what a job tells comes to the server, and its end counts"
    PROGRAM = "a wrapped program's exit code, output and time are its own"


LONGEST_TEXT = 3_000


class Violation(AssertionError):  # noqa: N818  (it says what is the case)
    """A property does not hold."""

    def __init__(self, which: Property, what: str) -> None:
        super().__init__(f"{which.name} ({which.value}): {what[:LONGEST_TEXT]}")
        self.property = which


def check(holds: object, which: Property, what: object) -> None:
    """Raise :class:`Violation` unless it holds."""
    if not holds:
        raise Violation(which, str(what))


class Fate(StrEnum):
    """What a client knows of an event."""

    STORED = "stored"
    UNKNOWN = "unknown"
    REFUSED = "refused"


@dataclass
class Task:
    """One life of a task: from its creation to its deletion."""

    id: str
    name: str
    processes: tuple[Process, ...]
    comment: str | None = None
    events: dict[str, tuple[Event, Fate]] = field(default_factory=dict)
    cursors: list[str] = field(default_factory=list)
    """Cursors of lists of its events that clients have seen, never that of the beginning."""
    is_dying: bool = False
    """Whether a request to delete it is under way."""
    by_jobs: set[str] = field(default_factory=set)
    """Ids of events that came from the job side, of which the model has no copy."""

    def tell(self, event: Event, fate: Fate) -> None:
        """Take note of what an answer says of an event; what was stored once stays so."""
        known = self.events.get(event.id)
        if known is None:
            self.events[event.id] = event, fate
        elif known[1] is not Fate.STORED and fate is not Fate.REFUSED:
            self.events[event.id] = known[0], fate

    def fate(self, event_id: str) -> Fate | None:
        """What is known of an event."""
        known = self.events.get(event_id)
        return known and known[1]

    def check_list(self, found: Sequence[Found]) -> None:
        """Compare the whole list of its events with what was sent."""
        ids = [each.id for each in found]
        check(len(set(ids)) == len(ids), Property.ONCE, f"{self.name}: twice in {ids}")
        there = {each.id: each for each in found}
        for event_id, (event, fate) in self.events.items():
            if fate is Fate.STORED:
                check(event_id in there, Property.ONCE, f"{event} was acknowledged, and is lost")
            elif fate is Fate.REFUSED:
                check(event_id not in there, Property.ABSENT, event)
        for each in found:
            if each.id in self.by_jobs:
                continue
            check(each.id in self.events, Property.ONCE, f"nobody has sent {each}")
            sent = self.events[each.id][0]
            same = (sent.process, sent.index, sent.event_class, sent.progress, sent.attempt)
            here = (each.process, each.job, each.event_class, each.progress, each.attempt)
            check(same == here, Property.FAITHFUL, f"{sent} became {each}")
            # As text, in which 1 and true differ.
            payloads = [json.dumps(payload) for payload in (sent.payload, each.payload)]
            check(payloads[0] == payloads[1], Property.FAITHFUL, f"{sent} became {each}")


class Found(NamedTuple):
    """An event as the server shows it."""

    id: str
    process: str
    job: int | None
    """The index of its job."""
    event_class: str
    progress: float | None
    attempt: int
    sent_at: datetime | None
    received_at: datetime
    payload: JSON

    @property
    def time(self) -> datetime:
        """The time that it counts with."""
        if self.sent_at is None or self.sent_at > self.received_at + timedelta(minutes=5):
            return self.received_at
        return self.sent_at

    @property
    def moment(self) -> tuple[int, datetime]:
        """Its place in the life of its job."""
        return self.attempt, self.time


class JobFacts(NamedTuple):
    """What follows from the events of one job."""

    state: str
    number: float | None
    """Its latest number, unless that is older than its latest start."""


ENDS = ("DONE", "FAILED", "TERMINATED")


def job(events: Iterable[Found]) -> JobFacts:
    """The facts of a job: a function of the set of its events."""
    events = list(events)

    def latest(*classes: str) -> Found | None:
        some = [event for event in events if event.event_class in classes]
        return max(some, key=lambda event: (event.moment, event.id), default=None)

    opened, closed = latest("SUBMITTED", "STARTED"), latest(*ENDS)
    alive, started = latest("STARTED", "READY", "BEAT", "PROGRESS"), latest("STARTED")
    numbers = [event for event in events if event.progress is not None]
    reading = max(numbers, key=lambda event: (event.moment, event.id), default=None)
    number = None
    if reading is not None and (started is None or reading.moment >= started.moment):
        number = reading.progress
    if not events:
        state = "PENDING"
    elif closed is not None and (opened is None or closed.moment >= opened.moment):
        state = closed.event_class
    elif opened is not None and (alive is None or alive.moment < opened.moment):
        state = "SUBMITTED"
    else:
        state = "RUNNING"
    return JobFacts(state, number)


def check_process(process: Process, events: Sequence[Found], shown: dict[str, Any]) -> None:
    """Compare what the server shows of a process with what follows from its events."""
    by_index: dict[int | None, list[Found]] = {index: [] for index in process.indices}
    for event in events:
        by_index[event.job].append(event)
    jobs = {index: job(own) for index, own in by_index.items()}
    where = f"process {process.name}"
    for node in shown["jobs"]:
        state = jobs[node["index"]].state
        same = node["state"] == state
        check(same, Property.COUNTERS, f"{where}[{node['index']}] is {node['state']}, not {state}")
    counts = dict.fromkeys(shown["counts"], 0)
    for facts in jobs.values():
        counts[facts.state.lower()] += 1
    counts["total"] = len(jobs)
    same = shown["counts"] == counts
    check(same, Property.COUNTERS, f"{where} counts {shown['counts']}, not {counts}")
    _check_progress(process, jobs.values(), any(event.progress for event in events), shown)
    number = shown["events"]["totalCount"]
    check(number == len(events), Property.COUNTERS, f"{where} has {number} of {len(events)} events")


def _check_progress(
    process: Process, jobs: Iterable[JobFacts], reports: bool, shown: dict[str, Any]
) -> None:
    jobs, threshold = list(jobs), process.threshold
    where = f"process {process.name}, {shown['progress']}"
    done = sum(facts.state == "DONE" for facts in jobs)
    values: list[float]
    if reports and threshold is None:
        values = [
            100.0 if facts.state == "DONE" else min(facts.number or 0.0, 100.0) for facts in jobs
        ]
    elif reports:
        values = [facts.number or 0.0 for facts in jobs]
    else:
        values = [1.0] * done
    if not reports and process.jobs is None:
        check(shown["progress"] is None, Property.COUNTERS, where)
    else:
        current = (shown["progress"] or {}).get("current", -1.0)
        near = math.isclose(current, math.fsum(values), rel_tol=1e-6, abs_tol=1e-6)
        check(near, Property.COUNTERS, f"{where}: current should be {math.fsum(values)}")
    must, may = False, False
    if threshold is not None and (reports or process.jobs is not None):
        must = math.fsum(values) >= threshold
        may = float(sum(map(Fraction, values))) >= threshold * (1 - 1e-6)
    check(shown["enough"] or not must, Property.ENOUGH, f"{where}: {values} are enough")
    check(may or not shown["enough"], Property.ENOUGH, f"{where}: {values} are not enough")
    state = _process_state(process, jobs, enough=shown["enough"])
    same = shown["state"] == state
    check(same, Property.COUNTERS, f"{where} is {shown['state']}, not {state}")


def _process_state(process: Process, jobs: Sequence[JobFacts], *, enough: bool) -> str:
    states = [facts.state for facts in jobs]
    if process.jobs is None:
        ends = {"DONE": "SUCCEEDED", "FAILED": "FAILED", "TERMINATED": "FAILED"}
        return ends.get(states[0], states[0])
    ended = [state for state in states if state in ENDS]
    failures = len(ended) - ended.count("DONE")
    all_ended = len(ended) == len(states)
    if enough or (process.threshold is None and all_ended and failures <= process.tolerance):
        return "SUCCEEDED"
    if all_ended:
        return "FAILED"
    if ended or "RUNNING" in states:
        return "RUNNING"
    return "SUBMITTED" if "SUBMITTED" in states else "PENDING"


def task_state(states: Iterable[str]) -> str:
    """The state of a task from those of its processes."""
    found = set(states)
    if found <= {"SUCCEEDED", "FAILED"}:
        return "FAILED" if "FAILED" in found else "SUCCEEDED"
    if found & {"RUNNING", "SUCCEEDED", "FAILED"}:
        return "RUNNING"
    return "SUBMITTED" if "SUBMITTED" in found else "PENDING"

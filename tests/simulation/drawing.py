"""Single steps, drawn by chance; each fits what has been drawn before."""

from __future__ import annotations

import random
import uuid
from dataclasses import replace

from tests.simulation.behaviours import Behaviour, Enabled
from tests.simulation.faults import CLIENT_SIDE, COMMIT, PROXIED, Fault
from tests.simulation.steps import (
    CLASSES,
    AddProcess,
    Create,
    Delete,
    Edit,
    Event,
    Process,
    Step,
    Submit,
    Under,
    Walk,
    Watch,
)

TASKS = ("a", "b")
"""The names of tasks: few, so that they are used again."""
PAYLOADS = (
    "",
    "a text “with” \\ \n \t \U0001f600",
    0,
    -1.5e-7,
    2**53,
    False,
    [1, [None, {}], "1"],
    {"é": {"b": [], "a": 0.1}, "": None},
)
"""Values of JSON that are easily changed on their way."""
TOLD_OTHERWISE = ("own", "t")
"""Processes that get events from the job side, or in a scene of their own, only."""
OWN_JOBS = 6
"""Jobs that are kept for those who tell by the library, once each."""
DOORS = ("graphql", "single", "rest")
SELDOM = {Fault.FREEZE: 0.15, Fault.FREEZE_COMMIT: 0.15, Fault.LOCK: 0.15, Fault.REFUSE: 0.5}
"""Weights of faults that take the time of a deadline, or of connecting anew."""


class Drawing:
    """Draws steps from a seed, and remembers what it has drawn."""

    def __init__(self, seed: int, engine: str, enabled: Enabled) -> None:
        self.chance = random.Random(f"{engine} {seed}")
        self.is_sqlite = engine == "sqlite"
        self.enabled = frozenset(enabled)
        self.faults = [
            fault for fault in Fault if fault in self.enabled and not self._is_foreign(fault)
        ]
        self.shapes: dict[str, tuple[Process, ...]] = {}
        self.sent: list[Event] = []
        self.watchers: list[Watch] = []
        self.own_jobs: dict[str, int] = {}
        self.added = 0
        self.moment = 0.0

    def _is_foreign(self, fault: Fault) -> bool:
        return self.is_sqlite and fault in PROXIED

    def server(self) -> int:
        """The number of a server."""
        return self.chance.randrange(1 if self.is_sqlite else 2)

    def task(self) -> str:
        """The name of a task."""
        return self.chance.choice(TASKS)

    def id(self) -> str:
        """An id for an event."""
        return str(uuid.UUID(int=self.chance.getrandbits(128), version=4))

    def create(self, task: str) -> Create:
        """Make a task of some shape, which is that of this name from now on."""
        chance = self.chance
        size, by = chance.randint(2, 12), chance.choice(("graphql", "rest"))
        # REST has no word for the first index.
        first = chance.choice((0, 1, 7)) if by == "graphql" else 0
        processes = [
            Process("p", size, first, chance.randint(0, size)),
            Process("q", chance.randint(2, 5), threshold=chance.choice((None, 1.0, 3.0, 100.0))),
            Process("s", threshold=chance.choice((None, None, 50.0))),
            Process("own", OWN_JOBS),
        ]
        self.shapes[task] = tuple(processes)
        return Create(self.server(), task, tuple(processes), by)

    def delete(self, task: str) -> Delete:
        """Delete a task."""
        return Delete(self.server(), task, self.chance.choice(("graphql", "rest")))

    def edit(self) -> Edit:
        """Change a comment."""
        return Edit(self.server(), self.task(), f"edit {self.chance.randrange(1000)}")

    def add_process(self) -> AddProcess:
        """Add a process to a task."""
        task = self.task()
        self.added += 1
        process = Process(f"n{self.added}", self.chance.choice((None, 1, 4)))
        self.shapes[task] = (*self.shapes[task], process)
        return AddProcess(self.server(), task, process)

    def event(self, task: str, process: Process, index: int | None) -> Event:
        """An event of a job."""
        chance = self.chance
        event_class = chance.choice(CLASSES)
        may_have_number = event_class == "PROGRESS" or (
            Behaviour.NUMBER_ON_END in self.enabled and chance.random() < 0.15
        )
        progress = payload = None
        if may_have_number and chance.random() < 0.9:
            progress = chance.choice((0.0, 0.1, 0.5, 1 / 3, 1.0, 30.0, 100.0, 250.0))
        if Behaviour.PAYLOAD in self.enabled and chance.random() < 0.3:
            payload = chance.choice(PAYLOADS)
        event = Event(self.id(), task, process.name, index, event_class, progress, payload=payload)
        return self._sent(event)

    def _sent(self, event: Event) -> Event:
        self.moment += 0.001
        skew = 0.0
        if Behaviour.CLOCK_SKEW in self.enabled and self.chance.random() < 0.2:
            skew = self.chance.choice((-3600.0, -1.0, 60.0, 250.0, 600.0, 86400.0))
        at = None if self.chance.random() < 0.3 else round(self.moment + skew, 3)
        attempt = self.chance.choice((0, 0, 0, 1))
        event = replace(event, at=at, attempt=attempt)
        self.sent.append(event)
        return event

    def events(self, task: str, number: int) -> tuple[Event, ...]:
        """Events of any jobs of a task."""
        shape = [process for process in self.shapes[task] if process.name not in TOLD_OTHERWISE]
        events = []
        for _ in range(number):
            process = self.chance.choice(shape)
            events.append(self.event(task, process, self.chance.choice(process.indices)))
        return tuple(events)

    def submit(self, task: str | None = None) -> Submit:
        """Send events to a task, which is any unless it is given."""
        by = self.chance.choice(DOORS)
        number = 1 if by == "single" else self.chance.randint(1, 8)
        events = self.events(task or self.task(), number)
        if by == "rest":
            # It has no word for the attempt.
            events = tuple(replace(event, attempt=0) for event in events)
            self.sent[-number:] = events
        if Behaviour.REPEAT in self.enabled and by != "single" and self.chance.random() < 0.1:
            events = (*events, self.chance.choice(events))
        return Submit(self.server(), events, by)

    def walk_jobs(self) -> Walk:
        """Page through the jobs of an array."""
        chance = self.chance
        states = ("PENDING", "SUBMITTED", "RUNNING", "DONE", "FAILED", "TERMINATED")
        only = chance.sample(states, chance.randint(1, 4)) if chance.random() < 0.8 else ()
        size, page = chance.randint(1, 6), chance.randint(0, 1)
        return Walk(self.server(), "jobs", self.task(), "p", tuple(only), size, page)

    def walk_events(self) -> Walk:
        """Page through the events of a task or a process."""
        chance = self.chance
        by = chance.choice(("graphql", "graphql", "rest"))
        process = chance.choice(("p", "q")) if by == "rest" else chance.choice((None, "p"))
        only = tuple(chance.sample(CLASSES, 3)) if by == "graphql" and chance.random() < 0.5 else ()
        backward = by == "graphql" and chance.random() < 0.3
        size, page = chance.randint(1, 6), chance.randint(0, 2)
        return Walk(self.server(), "events", self.task(), process, only, size, page, by, backward)

    def walk_tasks(self) -> Walk:
        """Page through the tasks."""
        by = self.chance.choice(("graphql", "rest"))
        return Walk(self.server(), "tasks", "", None, (), 1, self.chance.randint(0, 1), by)

    def watch(self, what: str) -> Watch:
        """Subscribe to ``what``: see :class:`Watch`."""
        chance = self.chance
        process: str | None = None
        only: tuple[str, ...] = ()
        if what == "events" and chance.random() < 0.3:
            process = "p"
        if what == "events" and chance.random() < 0.2:
            only = tuple(chance.sample(CLASSES, 4))
        watch = Watch(
            self.server(),
            f"w{len(self.watchers) + 1}",
            what,
            self.task(),
            process,
            only,
            chance.choice(("ws", "sse")),
            what == "events" and chance.random() < 0.3,
        )
        self.watchers.append(watch)
        return watch

    # Faults.

    def trouble(self, step: Step) -> Step:
        """The step, under a fault now and then."""
        faults = [fault for fault in self.faults if fault is not Fault.HOLD]
        if isinstance(step, Watch):
            faults = [fault for fault in faults if fault not in CLIENT_SIDE]
        if not faults or self.chance.random() > 0.2:
            return step
        weights = [SELDOM.get(fault, 1.0) for fault in faults]
        [fault] = self.chance.choices(faults, weights)
        number = self.chance.randint(1, 9)
        if fault in (Fault.COMMIT_FAILURE, Fault.COMMIT_RACE_LOST):
            number = COMMIT
        meanwhile: tuple[Step, ...] = ()
        if fault is Fault.CUT_LISTEN:
            return Under(1 - step.server, fault, number, step)
        if fault is Fault.LOCK:
            if not isinstance(step, Submit):
                return step
            [other] = set(TASKS) - {step.events[0].task}
            meanwhile = (replace(self.submit(other), server=step.server),)
        return Under(step.server, fault, number, step, meanwhile)

    def held(self, read: Walk | Watch) -> Step:
        """A page or the beginning of a stream, often with writes between two statements of it."""
        if Fault.HOLD not in self.faults or self.chance.random() < 0.25:
            return self.trouble(read)
        writes = tuple(self.submit(read.task or None) for _ in range(self.chance.randint(1, 3)))
        return Under(read.server, Fault.HOLD, self.chance.randint(1, 6), read, writes)

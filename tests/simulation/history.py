"""Histories: lists of steps as plain data, made from a seed."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from tests.simulation.faults import CLIENT_SIDE, COMMIT, PROXIED, Fault

TASKS = ("a", "b")
"""The names of tasks: few, so that they are used again."""
CLASSES = ("SUBMITTED", "STARTED", "READY", "BEAT", "PROGRESS", "DONE", "FAILED", "TERMINATED")
OWN_JOBS = 6
"""Jobs that are kept for those who tell by the library, once each."""
ENDS = ("DONE", "FAILED", "TERMINATED")
DOORS = ("graphql", "single", "rest")


class Behaviour(StrEnum):
    """What clients, jobs and operators do; a run can leave some out."""

    RESEND = "events are sent again"
    TOGETHER = "several requests come at once"
    EDIT_TASK = "tasks are edited"
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


@dataclass(frozen=True)
class Process:
    """A process that is to be made; an array where ``jobs`` is given."""

    name: str
    jobs: int | None = None
    first: int = 0
    tolerance: int = 0
    threshold: float | None = None

    @property
    def indices(self) -> Sequence[int | None]:
        """Its jobs' indices."""
        return [None] if self.jobs is None else range(self.first, self.first + self.jobs)


@dataclass(frozen=True)
class Event:
    """An event that is to be sent; ``at`` is its ``sentAt``, in seconds after the beginning."""

    id: str
    task: str
    process: str
    index: int | None
    event_class: str
    progress: float | None = None
    at: float | None = None
    attempt: int = 0


@dataclass(frozen=True)
class Step:
    """One thing that happens; ``server`` counts from 0."""

    server: int


@dataclass(frozen=True)
class Create(Step):
    """A client makes a task."""

    task: str
    processes: tuple[Process, ...]
    by: str


@dataclass(frozen=True)
class Delete(Step):
    """A client deletes a task."""

    task: str
    by: str


@dataclass(frozen=True)
class Edit(Step):
    """A client changes the comment of a task."""

    task: str
    comment: str


@dataclass(frozen=True)
class Submit(Step):
    """A client sends events in one request, or one of them alone."""

    events: tuple[Event, ...]
    by: str


@dataclass(frozen=True)
class Walk(Step):
    """A client reads a whole list, page by page: ``jobs``, ``events`` or ``tasks``.

    ``only`` is the filter: states of jobs, or classes of events. What goes wrong around it goes
    wrong at its page number ``page``, from 0.
    """

    what: str
    task: str
    process: str | None
    only: tuple[str, ...]
    size: int
    page: int
    by: str = "graphql"
    backward: bool = False


@dataclass(frozen=True)
class Watch(Step):
    """A client subscribes to ``events`` or ``changes`` of a task, or to changes of ``all`` tasks.

    Events come from the task's beginning, or ``from_now``.
    ``by`` is ``ws`` or ``sse``.
    """

    watcher: str
    what: str
    task: str
    process: str | None
    only: tuple[str, ...]
    by: str
    from_now: bool


@dataclass(frozen=True)
class Cut(Step):
    """A subscriber loses its connection."""

    watcher: str


@dataclass(frozen=True)
class Resume(Step):
    """A subscriber that was cut comes back with its last cursor, at any server."""

    watcher: str


@dataclass(frozen=True)
class Stall(Step):
    """A subscriber reads no more, until the end of the history."""

    watcher: str


@dataclass(frozen=True)
class Stale(Step):
    """A client goes on from a cursor of an earlier task of the same name."""

    task: str
    by: str


@dataclass(frozen=True)
class Forge(Step):
    """A client puts a huge number into a cursor of this list."""

    task: str
    what: str


@dataclass(frozen=True)
class Restart(Step):
    """An operator restarts a server."""


@dataclass(frozen=True)
class RunJob(Step):
    """A job tells these classes by the library, each after the other; all must come to the server.

    ``trouble`` is what lies between it and the server meanwhile: ``""``, ``away``, ``lost answers``
    or ``small proxy``, which stays.
    """

    task: str
    process: str
    index: int | None
    classes: tuple[str, ...]
    trouble: str
    ahead: float = 0.0
    payload: int = 0


@dataclass(frozen=True)
class RunProgram(Step):
    """A program is run by ``lamia-job run``: a shell script, which must not notice."""

    task: str
    process: str
    script: str
    pattern: str


@dataclass(frozen=True)
class Together(Step):
    """Several steps at once."""

    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Under(Step):
    """A step whose request meets a fault, at this statement; ``meanwhile`` others happen."""

    fault: Fault
    number: int
    step: Step
    meanwhile: tuple[Step, ...] = ()


def show(steps: Sequence[Step], indent: str = "") -> Iterator[str]:
    """The steps for people, a line each."""
    for number, step in enumerate(steps, 1):
        head = f"{indent}{number:3} "
        if isinstance(step, Under):
            yield f"{head}under {step.fault.name} at {_place(step.number)}: {_line(step.step)}"
            yield from show(step.meanwhile, indent + "      meanwhile ")
        elif isinstance(step, Together):
            yield f"{head}together:"
            yield from show(step.steps, indent + "      ")
        else:
            yield head + _line(step)


def _place(number: int) -> str:
    return "COMMIT" if number == COMMIT else f"statement {number}"


def _line(step: object) -> str:
    shown = []
    for field in fields(step):  # type: ignore[arg-type]
        value = getattr(step, field.name)
        if value is field.default and value is not None:
            continue
        if isinstance(value, tuple):
            value = "[" + ", ".join(str(v) if isinstance(v, str) else _line(v) for v in value) + "]"
        if value is not None:
            shown.append(f"{field.name}={value}")
    return f"{type(step).__name__}({', '.join(shown)})"


def make(seed: int, engine: str, enabled: Enabled = EVERYTHING) -> list[Step]:
    """The history of a seed on an engine, with these behaviours and faults only."""
    return _Maker(seed, engine, enabled).history()


class _Maker:
    """Draws scenes, each some steps that belong together, until the history is long enough."""

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
        self.moment = 0.0

    def _is_foreign(self, fault: Fault) -> bool:
        return self.is_sqlite and fault in PROXIED

    def history(self) -> list[Step]:
        """All steps."""
        steps: list[Step] = [self.create(task) for task in TASKS]
        scenes = self._scenes()
        weights = [weight for _, weight in scenes]
        for _ in range(self.chance.randint(6, 14)):
            [(scene, _)] = self.chance.choices(scenes, weights)
            steps += scene()
        return steps

    def _scenes(self) -> list[tuple[Callable[[], list[Step]], float]]:
        b = Behaviour
        optional: list[tuple[Behaviour, Callable[[], list[Step]], float]] = [
            (b.RESEND, self.resend, 4),
            (b.TOGETHER, self.together, 4),
            (b.EDIT_TASK, lambda: [self.trouble(self.edit())], 2),
            (b.RECREATE_TASK, self.recreate, 2),
            (b.WALK_JOBS, lambda: [self.held(self.walk_jobs())], 5),
            (b.WALK_EVENTS, lambda: [self.held(self.walk_events())], 4),
            (b.WALK_TASKS, lambda: [self.held(self.walk_tasks())], 2),
            (b.WATCH_EVENTS, lambda: [self.held(self.watch("events"))], 5),
            (b.WATCH_TASK, lambda: [self.held(self.watch("changes"))], 3),
            (b.WATCH_ALL, lambda: [self.held(self.watch("all"))], 1),
            (b.STALL, self.stall, 1),
            (b.CUT, self.cut, 5),
            (b.STALE_CURSOR, self.stale, 1),
            (b.FORGED_CURSOR, self.forge, 1),
            (b.RESTART, lambda: [Restart(self.server())], 0.5),
            (b.THRESHOLD, self.threshold, 1),
            (b.JOB_SIDE, self.run_job, 1.5),
            (b.WRAPPED_PROGRAM, self.run_program, 0.1),
        ]
        always: list[tuple[Callable[[], list[Step]], float]] = [
            (lambda: [self.trouble(self.submit())], 12)
        ]
        return always + [(make, weight) for b, make, weight in optional if b in self.enabled]

    # Scenes, and the steps that they are made of.

    def server(self) -> int:
        return self.chance.randrange(1 if self.is_sqlite else 2)

    def task(self) -> str:
        return self.chance.choice(TASKS)

    def id(self) -> str:
        return str(uuid.UUID(int=self.chance.getrandbits(128), version=4))

    def create(self, task: str) -> Create:
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
        return Delete(self.server(), task, self.chance.choice(("graphql", "rest")))

    def edit(self) -> Edit:
        return Edit(self.server(), self.task(), f"edit {self.chance.randrange(1000)}")

    def event(self, task: str, process: Process, index: int | None) -> Event:
        chance = self.chance
        event_class = chance.choice(CLASSES)
        may_have_number = event_class == "PROGRESS" or (
            Behaviour.NUMBER_ON_END in self.enabled and chance.random() < 0.15
        )
        progress = None
        if may_have_number and chance.random() < 0.9:
            progress = chance.choice((0.0, 0.1, 0.5, 1 / 3, 1.0, 30.0, 100.0, 250.0))
        return self._sent(Event(self.id(), task, process.name, index, event_class, progress))

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
        events = []
        for _ in range(number):
            process = self.chance.choice(self.shapes[task][:3])
            events.append(self.event(task, process, self.chance.choice(process.indices)))
        return tuple(events)

    def submit(self, task: str | None = None) -> Submit:
        by = self.chance.choice(DOORS)
        number = 1 if by == "single" else self.chance.randint(1, 8)
        events = self.events(task or self.task(), number)
        if by == "rest":
            # It has no word for the attempt.
            events = tuple(replace(event, attempt=0) for event in events)
            self.sent[-number:] = events
        return Submit(self.server(), events, by)

    def resend(self) -> list[Step]:
        if not self.sent:
            return []
        some = self.chance.choices(self.sent[-30:], k=self.chance.randint(1, 5))
        return [self.trouble(Submit(self.server(), tuple(some), "graphql"))]

    def together(self) -> list[Step]:
        steps: list[Step] = [self.submit() for _ in range(self.chance.randint(2, 4))]
        if Fault.HOLD in self.faults and self.chance.random() < 0.5:
            number = self.chance.choice((*range(1, 9), COMMIT))
            return [Under(steps[0].server, Fault.HOLD, number, steps[0], tuple(steps[1:]))]
        if Behaviour.WALK_JOBS in self.enabled:
            steps.append(self.walk_jobs())
        if Behaviour.RECREATE_TASK in self.enabled and self.chance.random() < 0.2:
            task = self.task()
            return [Together(0, (*steps, self.delete(task))), self.create(task)]
        return [Together(0, tuple(steps))]

    def recreate(self) -> list[Step]:
        task = self.task()
        steps: list[Step] = [self.trouble(self.delete(task)), self.trouble(self.create(task))]
        # Some events, so that an old cursor may lie behind them or before.
        return [*steps, *(self.submit(task) for _ in range(self.chance.randint(0, 4)))]

    def walk_jobs(self) -> Walk:
        chance = self.chance
        states = ("PENDING", "SUBMITTED", "RUNNING", "DONE", "FAILED", "TERMINATED")
        only = chance.sample(states, chance.randint(1, 4)) if chance.random() < 0.8 else ()
        size, page = chance.randint(1, 6), chance.randint(0, 1)
        return Walk(self.server(), "jobs", self.task(), "p", tuple(only), size, page)

    def walk_events(self) -> Walk:
        chance = self.chance
        by = chance.choice(("graphql", "graphql", "rest"))
        process = chance.choice(("p", "q")) if by == "rest" else chance.choice((None, "p"))
        only = tuple(chance.sample(CLASSES, 3)) if by == "graphql" and chance.random() < 0.5 else ()
        backward = by == "graphql" and chance.random() < 0.3
        size, page = chance.randint(1, 6), chance.randint(0, 2)
        return Walk(self.server(), "events", self.task(), process, only, size, page, by, backward)

    def walk_tasks(self) -> Walk:
        by = self.chance.choice(("graphql", "rest"))
        return Walk(self.server(), "tasks", "", None, (), 1, self.chance.randint(0, 1), by)

    def watch(self, what: str) -> Watch:
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

    def stall(self) -> list[Step]:
        """One subscriber is stuck; another one comes while the task is deleted."""
        stuck = self.watch("events")
        steps: list[Step] = [self.submit(stuck.task), stuck, Stall(0, stuck.watcher)]
        steps.append(self.submit(stuck.task))
        if Fault.HOLD in self.faults and Behaviour.RECREATE_TASK in self.enabled:
            late = replace(self.watch("events"), task=stuck.task, server=stuck.server)
            late = replace(late, process=None, only=(), from_now=False)
            self.watchers[-1] = late
            delete = self.delete(stuck.task)
            number = self.chance.randint(1, 6)
            steps.append(Under(late.server, Fault.HOLD, number, late, (delete,)))
            steps.append(self.create(stuck.task))
        return steps

    def cut(self) -> list[Step]:
        if not self.watchers:
            return []
        watcher = self.chance.choice(self.watchers)
        steps: list[Step] = [Cut(0, watcher.watcher)]
        steps += [self.submit(watcher.task) for _ in range(self.chance.randint(0, 2))]
        if Behaviour.STALE_CURSOR in self.enabled and self.chance.random() < 0.15:
            steps += [self.delete(watcher.task), self.create(watcher.task)]
            steps += [self.submit(watcher.task) for _ in range(self.chance.randint(0, 5))]
        return [*steps, Resume(self.server(), watcher.watcher)]

    def stale(self) -> list[Step]:
        task = self.task()
        walk = replace(self.walk_events(), task=task)
        again = [self.submit(task) for _ in range(3)]
        by = self.chance.choice(("graphql", "rest"))
        new = [self.delete(task), self.create(task)]
        return [self.submit(task), walk, *new, *again, Stale(self.server(), task, by)]

    def forge(self) -> list[Step]:
        what = self.chance.choice(("processes", "jobs", "events", "tasks"))
        return [Forge(self.server(), self.task(), what)]

    def threshold(self) -> list[Step]:
        """The jobs of an array report equal parts of a threshold, or all but one of them."""
        number = self.chance.choice((3, 7, 10))
        whole = self.chance.choice((1.0, 100.0))
        task = self.task()
        others = (process for process in self.shapes[task] if process.name != "t")
        shape = (*others, Process("t", number, threshold=whole))
        self.shapes[task] = shape
        steps: list[Step] = [self.delete(task), Create(self.server(), task, shape, "graphql")]
        reporting = self.chance.choice((number, number, number - 1))
        events = []
        for index in range(reporting):
            part = Event(self.id(), task, "t", index, "PROGRESS", whole / number)
            events += [part, Event(self.id(), task, "t", index, "DONE")]
        return [*steps, Submit(self.server(), tuple(events), "graphql")]

    def run_job(self) -> list[Step]:
        chance, task = self.chance, self.task()
        index = self.own_jobs[task] = self.own_jobs.get(task, -1) + 1
        middle = [chance.choice(("READY", "BEAT", "PROGRESS")) for _ in range(chance.randint(0, 3))]
        if Behaviour.JOB_MISTYPED_CLASS in self.enabled and chance.random() < 0.2:
            middle.insert(0, "DOEN")
        trouble = chance.choice(("", "away", "away", "lost answers"))
        if Behaviour.JOB_SMALL_PROXY in self.enabled and chance.random() < 0.2:
            trouble = "small proxy"
            middle += ["BEAT"] * 8
        ahead = 0.0
        if Behaviour.JOB_CLOCK_AHEAD in self.enabled and chance.random() < 0.3:
            ahead = chance.choice((120.0, 600.0, 600.0))
        payload = 0
        if Behaviour.JOB_LARGE_PAYLOAD in self.enabled and chance.random() < 0.2:
            payload = 100_000
        classes = ("STARTED", *middle, chance.choice(ENDS))
        if index >= OWN_JOBS:
            return []
        return [RunJob(self.server(), task, "own", index, classes, trouble, ahead, payload)]

    def run_program(self) -> list[Step]:
        script = self.chance.choice(
            (
                "echo out; echo err >&2; exit 3",
                "printf 'event 1\\nevent 2\\n'; printf '\\377\\000' ; exit 0",
                "head -c 300000 /dev/zero | tr '\\0' x; echo; echo event 7; exit 1",
                "kill -9 $$",
            )
        )
        index = self.chance.choice((r"event (\d+)", r".*event (\d+)"))
        return [RunProgram(self.server(), self.task(), "s", script, index)]

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


SELDOM = {Fault.FREEZE: 0.15, Fault.FREEZE_COMMIT: 0.15, Fault.LOCK: 0.15, Fault.REFUSE: 0.5}
"""Weights of faults that take the time of a deadline, or of connecting anew."""

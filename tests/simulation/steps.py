"""Steps of a history: plain data, and how it is shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from tests.simulation.faults import COMMIT, Fault

CLASSES = ("SUBMITTED", "STARTED", "READY", "BEAT", "PROGRESS", "DONE", "FAILED", "TERMINATED")
ENDS = ("DONE", "FAILED", "TERMINATED")


JSON = Any
"""A value of JSON; None stands for none."""


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
    payload: JSON = None


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
class AddProcess(Step):
    """A client adds a process to a task; its name is new."""

    task: str
    process: Process


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
        if value == field.default:
            continue
        if isinstance(value, tuple):
            value = "[" + ", ".join(str(v) if isinstance(v, str) else _line(v) for v in value) + "]"
        if value is not None:
            shown.append(f"{field.name}={value}")
    return f"{type(step).__name__}({', '.join(shown)})"

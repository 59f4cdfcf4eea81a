"""Histories: lists of steps, made from a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.simulation.behaviours import EVERYTHING, Behaviour, Enabled
from tests.simulation.drawing import OWN_JOBS, TASKS, Drawing
from tests.simulation.faults import COMMIT, Fault
from tests.simulation.steps import (
    ENDS,
    Create,
    Cut,
    Event,
    Forge,
    Process,
    Restart,
    Resume,
    RunJob,
    RunProgram,
    Stale,
    Stall,
    Step,
    Submit,
    Together,
    Under,
)


def make(seed: int, engine: str, enabled: Enabled = EVERYTHING) -> list[Step]:
    """The history of a seed on an engine, with these behaviours and faults only."""
    return _Maker(seed, engine, enabled).history()


class _Maker(Drawing):
    """Draws scenes, each some steps that belong together, until the history is long enough."""

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
            (b.ADD_PROCESS, self.add_process_and_use_it, 1),
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

    def add_process_and_use_it(self) -> list[Step]:
        """A process is added, and its jobs tell of themselves."""
        add = self.add_process()
        return [self.trouble(add), *(self.submit(add.task) for _ in range(2))]

    def recreate(self) -> list[Step]:
        task = self.task()
        steps: list[Step] = [self.trouble(self.delete(task)), self.trouble(self.create(task))]
        # Some events, so that an old cursor may lie behind them or before.
        return [*steps, *(self.submit(task) for _ in range(self.chance.randint(0, 4)))]

    def stall(self) -> list[Step]:
        """One subscriber is stuck; another one comes while the task is deleted."""
        # Neither has a past to read: what is read of a deleted task ends a subscription, too.
        stuck = replace(self.watch("events"), process=None, only=(), from_now=True)
        self.watchers[-1] = stuck
        steps: list[Step] = [self.submit(stuck.task), stuck, self.submit(stuck.task)]
        steps += [Stall(0, stuck.watcher), self.submit(stuck.task)]
        if Fault.HOLD in self.faults and Behaviour.RECREATE_TASK in self.enabled:
            late = replace(self.watch("events"), task=stuck.task, server=stuck.server)
            late = replace(late, process=None, only=(), from_now=True)
            self.watchers[-1] = late
            delete = self.delete(stuck.task)
            number = self.chance.randint(2, 4)
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

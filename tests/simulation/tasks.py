"""What clients know of tasks and their events: from answers, and where those are missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from tests.simulation.client import Client
from tests.simulation.model import Fate, Property, Task, check
from tests.simulation.operations import PROCESSES, TASK_ID
from tests.simulation.steps import Event, Process, Step

Owners = Mapping[str, Task | None]
"""The tasks that events were sent to, by their names."""
JobKey = tuple[str, str, int | None]
"""The names of task and process, and the index."""


class Tasks:
    """The tasks of a history: those that live, those that are gone, and what is in doubt."""

    def __init__(self, client: Client) -> None:
        self.live: dict[str, Task] = {}
        self.gone: list[Task] = []
        self.touched: list[JobKey] = []
        """The job of every event that was ever sent, in order."""
        self.touching: list[JobKey] = []
        """The jobs of the events that are under way."""
        self._client = client
        self._unresolved: dict[str, list[tuple[str, bool, Task | None]]] = {}
        self._unresolved_processes: list[tuple[Task, Process, bool]] = []

    def fate(self, event: Event) -> Fate | None:
        """What is known of an event that is sent to the live task of this name."""
        task = self.live.get(event.task)
        return None if task is None else task.fate(event.id)

    def learn(
        self,
        events: Sequence[Event],
        owners: Owners,
        before: Sequence[Fate | None],
        answers: Sequence[Any],
    ) -> None:
        """Compare the answers to a request with what was known ``before``, and note them."""
        for place, (event, fate) in enumerate(zip(events, before, strict=True)):
            is_known = fate is Fate.STORED or event in events[:place]
            self._learn(event, owners[event.task], answers[place], fate, is_known=is_known)

    def _learn(
        self, event: Event, task: Task | None, answer: Any, before: Fate | None, *, is_known: bool
    ) -> None:
        if self.live.get(event.task) is not task or (task is not None and task.is_dying):
            # It is deleted, before the event or after it.
            if task is not None:
                task.tell(event, Fate.UNKNOWN)
            return
        processes = {p.name: p for p in task.processes} if task else {}
        process = processes.get(event.process)
        fits = process is not None and event.index in process.indices
        stored = not answer["userErrors"]
        check(stored == fits, Property.ANSWER, f"{event}: {answer}")
        if task is None or not stored:
            return
        if is_known:
            check(answer["duplicate"], Property.ANSWER, f"{event} is not known again")
        elif before is not Fate.UNKNOWN:
            check(not answer["duplicate"], Property.ANSWER, f"{event} is new, and known")
        task.tell(event, Fate.STORED)

    def doubt(self, task: str, what: str, *, refused: bool, new: Task | None) -> None:
        """Remember that it is to be found out whether a task was made or deleted."""
        self._unresolved.setdefault(task, []).append((what, refused, new))

    def doubt_process(self, task: Task, process: Process, *, refused: bool) -> None:
        """Remember that it is to be found out whether a process was added to a task."""
        self._unresolved_processes.append((task, process, refused))

    def bury(self, name: str) -> None:
        """The live task of this name is gone."""
        task = self.live.pop(name, None)
        if task is not None:
            self.gone.append(task)

    async def resolve(self) -> None:
        """Find out what became of tasks and processes whose answers are missing."""
        await self._resolve_tasks()
        unresolved, self._unresolved_processes = self._unresolved_processes, []
        for task, process, refused in unresolved:
            if self.live.get(task.name) is not task:
                continue
            given = {"task": task.name, "first": 100}
            data = await self._client.after_trouble(
                partial(self._client.graphql, Step(0), PROCESSES, given)
            )
            names = [node["name"] for node in data["task"]["processes"]["nodes"]]
            added = process.name in names
            check(not (added and refused), Property.ABSENT, f"{process} of {task} was refused")
            if added:
                task.processes = (*task.processes, process)

    async def _resolve_tasks(self) -> None:
        unresolved, self._unresolved = self._unresolved, {}
        for name, doubts in unresolved.items():
            data = await self._client.after_trouble(
                partial(self._client.graphql, Step(0), TASK_ID, {"task": name})
            )
            task_id = data["task"] and data["task"]["id"]
            for what, refused, new in doubts:
                there = self.live.get(name)
                same = task_id == (there and there.id)
                check(same or not refused, Property.ABSENT, f"{what} of {name} was refused")
                if same:
                    if there is not None:
                        there.is_dying = False
                    continue
                self.bury(name)
                if what == "create" and task_id is not None and new is not None:
                    new.id = task_id
                    self.live[name] = new

"""Writing: tasks that are made, edited and deleted, and events that are sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.simulation.client import Client, UnavailableError
from tests.simulation.model import Fate, Property, Task, check
from tests.simulation.network import LostError, address
from tests.simulation.operations import ADD, CREATE, DELETE, EDIT, SUBMIT, SUBMIT_MANY
from tests.simulation.steps import AddProcess, Create, Delete, Edit, Event, Process, Submit
from tests.simulation.tasks import Owners, Tasks
from tests.simulation.trouble import Trouble


class Writing:
    """Writes of clients; each answer is compared with what is known."""

    def __init__(self, client: Client, tasks: Tasks) -> None:
        self._client = client
        self._tasks = tasks
        self._start = datetime.now(UTC)

    async def create(self, step: Create, trouble: Trouble | None) -> None:
        """Make a task; one of that name may be there."""
        there = self._tasks.live.get(step.task)
        new = Task("", step.task, step.processes)
        try:
            if step.by == "rest":
                body = {"processes": [_rest_process(process) for process in step.processes]}
                answer = await self._client.rest(step, "POST", address(step.task), body, trouble)
                made = answer.status == 201
                check(made or answer.status == 409, Property.ANSWER, answer)
                self._tasks.doubt(step.task, "create", refused=not made, new=new)
            else:
                task = {
                    "name": step.task,
                    "processes": [_graphql_process(process) for process in step.processes],
                }
                data = await self._client.graphql(step, CREATE, {"input": task}, trouble)
                created = data["createTask"]["task"]
                made = created is not None
                if made:
                    new.id = created["id"]
                    self._tasks.live[step.task] = new
            check(made == (there is None), Property.ANSWER, f"made={made} while {there} is there")
        except (LostError, UnavailableError) as error:
            self._tasks.doubt(step.task, "create", refused=_is_refusal(error), new=new)

    async def delete(self, step: Delete, trouble: Trouble | None) -> None:
        """Delete a task, which may be there."""
        there = self._tasks.live.get(step.task)
        if there is not None:
            there.is_dying = True
        try:
            if step.by == "rest":
                answer = await self._client.rest(step, "DELETE", address(step.task), None, trouble)
                gone = answer.status == 200
                check(gone or answer.status == 404, Property.ANSWER, answer)
            else:
                data = await self._client.graphql(step, DELETE, {"name": step.task}, trouble)
                gone = data["deleteTask"]["deletedId"] is not None
            check(gone == (there is not None), Property.ANSWER, f"gone={gone} where {there} was")
            self._tasks.bury(step.task)
        except (LostError, UnavailableError) as error:
            self._tasks.doubt(step.task, "delete", refused=_is_refusal(error), new=None)

    async def edit(self, step: Edit, trouble: Trouble | None) -> None:
        """Change a comment."""
        task = self._tasks.live.get(step.task)
        edit = {"name": step.task, "comment": step.comment}
        try:
            data = await self._client.graphql(step, EDIT, {"input": edit}, trouble)
            found = data["updateTask"]["task"]
            if self._tasks.live.get(step.task) is not task or (task is not None and task.is_dying):
                return
            check((found is None) == (task is None), Property.ANSWER, f"{found} of {task}")
            if task is not None:
                check(found["comment"] == step.comment, Property.ANSWER, found)
        except (LostError, UnavailableError):
            pass

    async def add_process(self, step: AddProcess, trouble: Trouble | None) -> None:
        """Add a process to a task, which may be there."""
        task = self._tasks.live.get(step.task)
        given = {"task": step.task, "processes": [_graphql_process(step.process)]}
        try:
            data = await self._client.graphql(step, ADD, {"input": given}, trouble)
            added = data["addProcesses"]["processes"]
            check(bool(added) == (task is not None), Property.ANSWER, f"{added} in {task}")
            if task is not None:
                task.processes = (*task.processes, step.process)
        except (LostError, UnavailableError) as error:
            if task is not None:
                self._tasks.doubt_process(task, step.process, refused=_is_refusal(error))

    async def submit(self, step: Submit, trouble: Trouble | None) -> None:
        """Send events, by one of three ways."""
        keys = [(event.task, event.process, event.index) for event in step.events]
        self._tasks.touched += keys
        self._tasks.touching += keys
        owners = {event.task: self._tasks.live.get(event.task) for event in step.events}
        fates = [self._tasks.fate(event) for event in step.events]
        # Events of one request may go to several tasks; REST has one process for an address.
        try:
            if step.by == "graphql":
                body = {"events": [self._graphql_event(event) for event in step.events]}
                data = await self._client.graphql(step, SUBMIT_MANY, {"input": body}, trouble)
                answers = data["submitEvents"]["results"]
                self._tasks.learn(step.events, owners, fates, answers)
            elif step.by == "single":
                [event] = step.events
                given = {"input": self._graphql_event(event)}
                data = await self._client.graphql(step, SUBMIT, given, trouble)
                self._tasks.learn(step.events, owners, fates, [data["submitEvent"]])
            else:
                await self._submit_by_rest(step, owners, fates, trouble)
        except (LostError, UnavailableError) as error:
            refused = _is_refusal(error)
            for event in step.events:
                if (task := owners[event.task]) is not None:
                    task.tell(event, Fate.REFUSED if refused else Fate.UNKNOWN)
        finally:
            for key in keys:
                self._tasks.touching.remove(key)

    async def _submit_by_rest(
        self, step: Submit, owners: Owners, fates: Sequence[Fate | None], trouble: Trouble | None
    ) -> None:
        groups: dict[tuple[str, str], list[tuple[Event, Fate | None]]] = {}
        for event, fate in zip(step.events, fates, strict=True):
            groups.setdefault((event.task, event.process), []).append((event, fate))
        for (task, process), some in groups.items():
            body = [self._rest_event(event) for event, _ in some]
            target = address(task, process, "event")
            answer = await self._client.rest(step, "POST", target, body, trouble)
            trouble = None
            if answer.status == 404:
                continue
            check(answer.status in (201, 400), Property.ANSWER, answer)
            for each in answer.body:
                each["userErrors"] = each.pop("errors", [])
                each.setdefault("duplicate", False)
            self._tasks.learn(
                [event for event, _ in some], owners, [fate for _, fate in some], answer.body
            )

    def _graphql_event(self, event: Event) -> dict[str, Any]:
        found: dict[str, Any] = {
            "id": event.id,
            "task": event.task,
            "process": event.process,
            "eventClass": event.event_class,
            "attempt": event.attempt,
        }
        if event.index is not None:
            found["index"] = event.index
        if event.progress is not None:
            found["progress"] = event.progress
        if event.payload is not None:
            found["payload"] = event.payload
        if event.at is not None:
            found["sentAt"] = (self._start + timedelta(seconds=event.at)).isoformat()
        return found

    def _rest_event(self, event: Event) -> dict[str, Any]:
        found = self._graphql_event(event)
        if "index" in found:
            found["arrayIndex"] = found.pop("index")
        return found


def _is_refusal(error: Exception) -> bool:
    return isinstance(error, UnavailableError) and error.says_nothing_happened


def _graphql_process(process: Process) -> dict[str, Any]:
    found: dict[str, Any] = {"name": process.name, "threshold": process.threshold}
    if process.jobs is not None:
        found |= {"jobCount": process.jobs, "firstIndex": process.first}
        found["failureTolerance"] = process.tolerance
    return found


def _rest_process(process: Process) -> dict[str, Any]:
    found: dict[str, Any] = {"name": process.name, "thresholdProgress": process.threshold}
    if process.jobs is not None:
        found |= {"nJobs": process.jobs, "fTolerance": process.tolerance}
    return found

"""Runs a history on a system, and compares what is there at its end with the model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from tests.simulation.client import RECOVERY_S, Client, UnavailableError
from tests.simulation.faults import CLIENT_SIDE, Fault
from tests.simulation.jobs import JobSide
from tests.simulation.lists import Lists
from tests.simulation.model import Property, Task, check, check_process, task_state
from tests.simulation.operations import SHAPE, SUBMIT
from tests.simulation.steps import (
    AddProcess,
    Create,
    Cut,
    Delete,
    Edit,
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
    Walk,
    Watch,
)
from tests.simulation.system import System
from tests.simulation.tasks import Tasks
from tests.simulation.trouble import Trouble
from tests.simulation.watchers import Watchers
from tests.simulation.writing import Writing

PROBE = "probe"
"""The task that is written to in order to see whether writing works."""


class Run:
    """One history on one system."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._client = Client(system)
        self._tasks = Tasks(self._client)
        self._writing = Writing(self._client, self._tasks)
        self._lists = Lists(self._client, self._tasks)
        self._watchers = Watchers(self._client, self._tasks, self._lists)
        self._job_side = JobSide(system, self._tasks, self._lists)

    async def run(self, steps: Sequence[Step]) -> None:
        """Run it all. Raises :class:`Violation`."""
        await self._system.prepare()
        async with self._job_side:
            try:
                # A busy machine may have no time for it, and then the server says so.
                while PROBE not in self._tasks.live:
                    await self._do(Create(0, PROBE, (Process("s"),), "graphql"))
                for step in steps:
                    await self._do(step)
                await self._settle()
            finally:
                self._system.calm()
                await self._watchers.close()

    async def _do(self, step: Step) -> None:
        if isinstance(step, Under):
            await self._do_simple(step.step, Trouble(step, self._system, self._do))
            self._system.calm()
            await self._tasks.resolve()
            if step.fault not in CLIENT_SIDE and step.fault is not Fault.HOLD:
                await self._recover()
        elif isinstance(step, Together):
            await _all(self._do(each) for each in step.steps)
        else:
            await self._do_simple(step, None)
            await self._tasks.resolve()

    async def _do_simple(self, step: Step, trouble: Trouble | None) -> None:
        handlers: dict[type[Step], Callable[[Any, Trouble | None], Coroutine[Any, Any, None]]] = {
            Create: self._writing.create,
            AddProcess: self._writing.add_process,
            Delete: self._writing.delete,
            Edit: self._writing.edit,
            Submit: self._writing.submit,
            Walk: self._lists.walk,
            Stale: self._lists.stale,
            Forge: self._lists.forge,
            Watch: self._watchers.watch,
            Cut: self._watchers.cut,
            Resume: self._watchers.resume,
            Stall: self._watchers.stall,
            Restart: self._restart,
            RunJob: self._job_side.run_job,
            RunProgram: self._job_side.run_program,
        }
        await handlers[type(step)](step, trouble)

    async def _restart(self, step: Restart, _trouble: Trouble | None) -> None:
        """Stop a server, which cuts its subscribers, and start it."""
        server = self._system.server(step.server)
        await self._watchers.cut_from(server)
        await server.stop()
        await server.start()

    async def _settle(self) -> None:
        """Stop all faults, and compare everything."""
        self._system.calm()
        await self._recover()
        await self._watchers.come_back()
        for task in self._tasks.live.values():
            await self._check_task(task)
        await self._watchers.check()
        found = await asyncio.to_thread(self._system.differences)
        check(not found, Property.RECOUNT, found)

    async def _check_task(self, task: Task) -> None:
        events = await self._lists.events(Step(0), task.name, None)
        assert events is not None, task
        task.check_list(events)
        given = {"task": task.name}
        shown = (await self._client.graphql(Step(0), SHAPE, given))["task"]
        states = [process["state"] for process in shown["processes"]["nodes"]]
        same = shown["state"] == task_state(states)
        check(same, Property.COUNTERS, f"{task.name} is {shown['state']} of {states}")
        for process, found in zip(task.processes, shown["processes"]["nodes"], strict=True):
            own = [event for event in events if event.process == process.name]
            found["jobs"] = found["jobs"]["nodes"] if "jobs" in found else [found["job"]]
            check_process(process, own, found)

    async def _recover(self) -> None:
        """Write again, at every server, without a restart."""
        loop = asyncio.get_running_loop()
        for number in range(len(self._system.servers)):
            deadline = loop.time() + RECOVERY_S
            while True:
                event = {"task": PROBE, "process": "s", "eventClass": "BEAT"}
                try:
                    given = {"input": event}
                    data = await self._client.graphql(Step(number), SUBMIT, given)
                    stored = not data["submitEvent"]["userErrors"]
                    check(stored, Property.RECOVERY, data)
                    self._tasks.live[PROBE].by_jobs.add(data["submitEvent"]["event"]["uuid"])
                    break
                except UnavailableError as error:
                    in_time = loop.time() < deadline
                    check(in_time, Property.RECOVERY, f"server {number}: {error}")
                    await asyncio.sleep(0.05)


async def _all(works: Any) -> None:
    """Do all at once, to the end; then raise what the first one has raised."""
    for result in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result

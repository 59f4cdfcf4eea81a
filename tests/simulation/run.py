"""Runs a history against a system, and holds what comes back against the model."""

from __future__ import annotations

import asyncio
import base64
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from tests.simulation import history as h
from tests.simulation import jobs
from tests.simulation.faults import CLIENT_SIDE, PROXIED, Fault, Gate
from tests.simulation.model import (
    Fate,
    Found,
    Property,
    Task,
    Violation,
    check,
    check_process,
    task_state,
)
from tests.simulation.network import Answer, Bridge, LostError, address, request
from tests.simulation.operations import (
    CREATE,
    DELETE,
    EDIT,
    EVENTS,
    EVENTS_OF_PROCESS,
    JOBS,
    LISTS,
    SHAPE,
    SUBMIT,
    SUBMIT_MANY,
    TASK_ID,
    TASKS,
)
from tests.simulation.system import Server, System
from tests.simulation.watchers import Watcher

DEADLINE_S = 5.0
"""How long a request may take, whatever the database does; ten times its ``database_timeout``."""
OTHERS_S = 2.0
"""How long an event may take while the row of another task is locked."""
RECOVERY_S = 6.0
"""How long writing may fail after the faults have stopped."""
CATCH_UP_S = 6.0
"""How long a subscriber may lag behind."""
HOLD_WRITE_S = 0.1
"""How long a write is held; what happens meanwhile may wait for it."""
HOLD_READ_S = 1.0
"""How long a read is held at most, while what happens meanwhile does not wait for it."""
PROBE = "probe"


class UnavailableError(Exception):
    """The server says that it could not do it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.says_nothing_happened = "Nothing was" in message or "can't be stored" in message


Trouble = h.Under | None
Owners = Mapping[str, Task | None]
"""The tasks that events were sent to, by their names."""


class Run:
    """One history on one system."""

    def __init__(self, system: System, gate: Gate) -> None:
        self.system = system
        self.gate = gate
        self.start = datetime.now(UTC)
        self.live: dict[str, Task] = {}
        self.gone: list[Task] = []
        self.watchers: dict[str, Watcher] = {}
        self._unresolved: dict[str, list[tuple[str, bool, Task | None]]] = {}
        self._touched: list[tuple[str, str, int | None]] = []
        self._touching: list[tuple[str, str, int | None]] = []
        self._stack = AsyncExitStack()
        self._bridges: dict[int, Bridge] = {}
        self._spool = Path()

    async def run(self, steps: Sequence[h.Step]) -> None:
        """Run it all. Raises :class:`Violation`."""
        await self.system.prepare()
        async with self._stack:
            self._spool = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
            try:
                probe = h.Create(0, PROBE, (h.Process("s"),), "graphql")
                for step in (probe, *steps):
                    await self.step(step)
                await self.settle()
            finally:
                self.calm()
                for watcher in self.watchers.values():
                    await watcher.cut()

    def server(self, number: int) -> Server:
        """A server by its number, as far as there are so many."""
        return self.system.servers[number % len(self.system.servers)]

    # Steps.

    async def step(self, step: h.Step, trouble: Trouble = None) -> None:
        """Let one thing happen."""
        if isinstance(step, h.Under):
            await self.step(step.step, step)
            self.calm()
            await self.resolve()
            if step.fault not in CLIENT_SIDE and step.fault is not Fault.HOLD:
                await self.recover()
            return
        if isinstance(step, h.Together):
            await _all(self.step(each) for each in step.steps)
            return
        handlers: dict[type[h.Step], Callable[[Any, Trouble], Coroutine[Any, Any, None]]] = {
            h.Create: self.create,
            h.Delete: self.delete,
            h.Edit: self.edit,
            h.Submit: self.submit,
            h.Walk: self.walk,
            h.Watch: self.watch,
            h.Cut: self.cut,
            h.Resume: self.resume,
            h.Stall: self.stall,
            h.Stale: self.stale,
            h.Forge: self.forge,
            h.Restart: self.restart,
            h.RunJob: self.run_job,
            h.RunProgram: self.run_program,
        }
        await handlers[type(step)](step, trouble)
        if trouble is None:
            await self.resolve()

    async def create(self, step: h.Create, trouble: Trouble) -> None:
        """Make a task; one of that name may be there."""
        there = self.live.get(step.task)
        new = Task("", step.task, step.processes)
        try:
            if step.by == "rest":
                body = {"processes": [_rest_process(process) for process in step.processes]}
                answer = await self.rest(step, "POST", address(step.task), body, trouble)
                made = answer.status == 201
                check(made or answer.status == 409, Property.ANSWER, answer)
                self._unresolved.setdefault(step.task, []).append(("create", not made, new))
            else:
                task = {
                    "name": step.task,
                    "processes": [_graphql_process(process) for process in step.processes],
                }
                payload = (await self.graphql(step, CREATE, {"input": task}, trouble))["createTask"]
                made = payload["task"] is not None
                if made:
                    new.id = payload["task"]["id"]
                    self.live[step.task] = new
            check(made == (there is None), Property.ANSWER, f"made={made} while {there} is there")
        except (LostError, UnavailableError) as error:
            self._doubt(step.task, "create", error, new)

    async def delete(self, step: h.Delete, trouble: Trouble) -> None:
        """Delete a task, which may be there."""
        there = self.live.get(step.task)
        if there is not None:
            there.is_dying = True
        try:
            if step.by == "rest":
                answer = await self.rest(step, "DELETE", address(step.task), None, trouble)
                gone = answer.status == 200
                check(gone or answer.status == 404, Property.ANSWER, answer)
            else:
                data = await self.graphql(step, DELETE, {"name": step.task}, trouble)
                gone = data["deleteTask"]["deletedId"] is not None
            check(gone == (there is not None), Property.ANSWER, f"gone={gone} where {there} was")
            self._bury(step.task)
        except (LostError, UnavailableError) as error:
            self._doubt(step.task, "delete", error, None)

    async def edit(self, step: h.Edit, trouble: Trouble) -> None:
        """Change a comment."""
        task = self.live.get(step.task)
        edit = {"name": step.task, "comment": step.comment}
        try:
            data = await self.graphql(step, EDIT, {"input": edit}, trouble)
            found = data["updateTask"]["task"]
            if self.live.get(step.task) is not task or (task is not None and task.is_dying):
                return
            check((found is None) == (task is None), Property.ANSWER, f"{found} of {task}")
            if task is not None:
                check(found["comment"] == step.comment, Property.ANSWER, found)
        except (LostError, UnavailableError):
            pass

    async def submit(self, step: h.Submit, trouble: Trouble) -> None:
        """Send events, by one of three ways."""
        keys = [(event.task, event.process, event.index) for event in step.events]
        self._touched += keys
        self._touching += keys
        owners = {event.task: self.live.get(event.task) for event in step.events}
        fates = [self._fate(event) for event in step.events]
        # Events of one request may go to several tasks; REST has one process for an address.
        try:
            if step.by == "graphql":
                body = {"events": [self._graphql_event(event) for event in step.events]}
                data = await self.graphql(step, SUBMIT_MANY, {"input": body}, trouble)
                answers = data["submitEvents"]["results"]
                for event, fate, answer in zip(step.events, fates, answers, strict=True):
                    self._learn(event, owners, fate, answer, step.events)
            elif step.by == "single":
                for event, fate in zip(step.events, fates, strict=True):
                    given = {"input": self._graphql_event(event)}
                    data = await self.graphql(step, SUBMIT, given, trouble)
                    self._learn(event, owners, fate, data["submitEvent"], [event])
                    trouble = None
            else:
                await self._submit_by_rest(step, owners, fates, trouble)
        except (LostError, UnavailableError) as error:
            refused = isinstance(error, UnavailableError) and error.says_nothing_happened
            for event in step.events:
                if (task := owners[event.task]) is not None:
                    task.tell(event, Fate.REFUSED if refused else Fate.UNKNOWN)
        finally:
            for key in keys:
                self._touching.remove(key)

    async def _submit_by_rest(
        self, step: h.Submit, owners: Owners, fates: Sequence[Fate | None], trouble: Trouble
    ) -> None:
        groups: dict[tuple[str, str], list[tuple[h.Event, Fate | None]]] = {}
        for event, fate in zip(step.events, fates, strict=True):
            groups.setdefault((event.task, event.process), []).append((event, fate))
        for (task, process), some in groups.items():
            body = [self._rest_event(event) for event, _ in some]
            answer = await self.rest(step, "POST", address(task, process, "event"), body, trouble)
            trouble = None
            if answer.status == 404:
                continue
            check(answer.status in (201, 400), Property.ANSWER, answer)
            for (event, fate), each in zip(some, answer.body, strict=True):
                each["userErrors"] = each.pop("errors", [])
                each.setdefault("duplicate", False)
                self._learn(event, owners, fate, each, [event for event, _ in some])

    async def walk(self, step: h.Walk, trouble: Trouble) -> None:
        """Read a whole list; compare with what was there before and after."""
        begin, touching = len(self._touched), list(self._touching)
        before = await self._whole(step)
        seen: list[Any] = []
        place: str | None = None
        for number in range(200):
            here = trouble if number == step.page else None
            try:
                page = await self._page(step, place, step.size, here)
            except (LostError, UnavailableError):
                page = await self._after_trouble(partial(self._page, step, place, step.size))
            if page is None:
                return  # the task has gone
            items, place = page
            seen = [*items, *seen] if step.backward else [*seen, *items]
            check(len(items) <= step.size, Property.PAGES, f"{step}: too many, {items}")
            if place is None:
                break
        else:
            raise Violation(Property.PAGES, f"{step} does not end: {seen}")
        after = await self._whole(step)
        task = self.live.get(step.task)
        if step.what == "events" and task is not None and place is None and before:
            task.cursors += [cursor for _, cursor in before[-1:]]
        if before is None or after is None:
            return
        touched = Counter([*self._touched[begin:], *touching])
        self._check_walk(step, before, seen, after, touched)

    def _check_walk(
        self,
        step: h.Walk,
        before: list[Any],
        seen: list[Any],
        after: list[Any],
        touched: Counter[tuple[str, str, int | None]],
    ) -> None:
        if step.what == "events":
            before, seen, after = ([key for key, _ in some] for some in (before, seen, after))
        what = f"{step}: {seen} while there was {before}, then {after}"
        keys = [item[0] for item in seen] if step.what == "jobs" else seen
        check(len(set(keys)) == len(keys), Property.PAGES, f"twice: {what}")
        if step.what != "jobs":
            throughout = [item for item in before if item in after]
            lost = [item for item in throughout if item not in seen]
            check(not lost, Property.PAGES, f"{lost} lost: {what}")
            check(all(s in after for s in seen if s in before), Property.PAGES, what)
            if step.what == "events":
                order = [item for item in after if item in seen]
                check(order == seen, Property.PAGES, f"order: {what}")
            return
        states = dict(before)
        for index, state in after:
            changes = touched[step.task, "p", index]
            wanted = [not step.only or s in step.only for s in (states.get(index), state)]
            # Of several changes some may have led out of what is wanted, and back.
            if changes > 1 or wanted[0] != wanted[1]:
                continue
            there = index in keys if changes else [index, state] in seen
            check(there == wanted[0], Property.PAGES, f"job {index} {state}: {what}")

    async def watch(self, step: h.Watch, trouble: Trouble) -> None:
        """Subscribe."""
        if step.watcher in self.watchers:
            return
        watcher = Watcher(step, self.live.get(step.task))
        if step.from_now and watcher.task is not None:
            walk = h.Walk(step.server, "events", step.task, None, (), 1, 0, backward=True)
            page = await self._page(walk, None, 1)
            if page is not None and page[0]:
                watcher.cursor = watcher.begin = page[0][0][1]
        self.watchers[step.watcher] = watcher
        if trouble is None:
            watcher.open(self.server(step.server))
        else:
            await self._under(trouble, self._opening(watcher, self.server(step.server)))

    async def _opening(self, watcher: Watcher, server: Server) -> None:
        watcher.open(server)
        await asyncio.sleep(HOLD_WRITE_S)

    async def cut(self, step: h.Cut, _trouble: Trouble) -> None:
        """Cut a subscriber's connection."""
        if (watcher := self.watchers.get(step.watcher)) is not None:
            await watcher.cut()

    async def resume(self, step: h.Resume, _trouble: Trouble) -> None:
        """Let a subscriber come back."""
        watcher = self.watchers.get(step.watcher)
        if watcher is not None and not watcher.is_open:
            await self._reopen(watcher, self.server(step.server))

    async def _reopen(self, watcher: Watcher, server: Server) -> None:
        now = self.live.get(watcher.step.task)
        if now is not None and watcher.seen and watcher.seen[0] in now.events:
            # It may have come so late that it has watched this one all the time.
            old = watcher.task
            watcher.task = old if old and watcher.seen[0] in old.events else now
        is_same = now is watcher.task
        watcher.open(server)
        if watcher.step.what == "all":
            return
        if is_same or now is None or watcher.task is None or not watcher.cursor:
            if not is_same:
                # Without a place in the old task it is simply a subscriber of the new one.
                await watcher.cut()
                watcher.is_over = True
            return
        # It may have been over when its task was deleted; here the new subscription is to end.
        watcher.is_over = False
        await watcher.until(lambda: watcher.is_over, CATCH_UP_S)
        refused = watcher.error == "CURSOR_INVALID"
        check(refused, Property.CURSOR, f"{watcher} resumes in another task: {watcher.error}")

    async def stall(self, step: h.Stall, _trouble: Trouble) -> None:
        """Let a subscriber read no more, once it has begun."""
        if (watcher := self.watchers.get(step.watcher)) is not None:
            await asyncio.sleep(0.02)
            watcher.stall()

    async def stale(self, step: h.Stale, trouble: Trouble) -> None:
        """Go on from a cursor of a task that is gone."""
        cursors = [c for task in self.gone if task.name == step.task for c in task.cursors]
        if not cursors or step.task not in self.live:
            return
        if step.by == "rest":
            query = (("after", cursors[-1]),)
            target = address(step.task, "p", "event", query=query)
            answer = await self.rest(step, "GET", target, None, trouble)
            code = answer.body["errors"][0]["details"]["code"] if answer.status == 400 else None
        else:
            given = {"task": step.task, "first": 5, "after": cursors[-1]}
            answer = await self.raw(step, EVENTS, given, trouble)
            code = _code(answer)
        refused = code == "CURSOR_INVALID"
        check(refused, Property.CURSOR, f"a cursor of another {step.task} is taken: {answer.body}")

    async def forge(self, step: h.Forge, trouble: Trouble) -> None:
        """Send cursors with numbers that no list has given."""
        query, path = LISTS[step.what]
        answer = await self.raw(step, query, {"task": step.task, "first": 1}, trouble)
        page: Any = (answer.body or {}).get("data") or {}
        for name in path:
            page = (page or {}).get(name)
        if not page or not page["pageInfo"]["endCursor"]:
            return
        text = page["pageInfo"]["endCursor"]
        parts = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        for huge in (2**31, 2**40, 2**63 - 1, -(2**40)):
            forged = [huge if type(part) is int else part for part in parts]
            cursor = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode().rstrip("=")
            given = {"task": step.task, "first": 1, "after": cursor}
            await self.raw(step, query, given)

    async def restart(self, step: h.Restart, _trouble: Trouble) -> None:
        """Stop a server, which cuts its subscribers, and start it."""
        server = self.server(step.server)
        for watcher in self.watchers.values():
            if watcher.server is server:
                await watcher.cut()
        await server.stop()
        await server.start()

    async def run_job(self, step: h.RunJob, _trouble: Trouble) -> None:
        """Let a job tell of itself."""
        task = self.live.get(step.task)
        if task is None:
            return
        bridge = await self._bridge(step.server)
        await jobs.run(step, bridge, self._spool)
        found = [e for e in await self._list(step, task) or [] if e.process == step.process]
        own = [e for e in found if e.job == step.index]
        jobs.check_story(step, own)
        task.by_jobs |= {e.id for e in own}

    async def run_program(self, step: h.RunProgram, _trouble: Trouble) -> None:
        """Wrap a program."""
        bridge = await self._bridge(step.server)
        await jobs.run_program(step, bridge, self._spool)
        # Its job has no copy of its events here.
        if (task := self.live.get(step.task)) is not None:
            known = {*task.events}
            task.by_jobs |= {e.id for e in await self._list(step, task) or []} - known

    async def _bridge(self, number: int) -> Bridge:
        server = self.server(number)
        if id(server) not in self._bridges:
            bridge = Bridge(server)
            self._bridges[id(server)] = await self._stack.enter_async_context(bridge.serving())
        return self._bridges[id(server)]

    # The end of a history.

    async def settle(self) -> None:
        """Stop all faults, and compare everything."""
        self.calm()
        await self.recover()
        for watcher in self.watchers.values():
            if not watcher.is_stalled and not watcher.is_open and not watcher.is_over:
                await self._reopen(watcher, self.server(len(watcher.step.watcher)))
        for task in self.live.values():
            await self._check_task(task)
        for watcher in self.watchers.values():
            await self._check_watcher(watcher)
        found = await asyncio.to_thread(self.system.differences)
        check(not found, Property.RECOUNT, found)

    async def _check_task(self, task: Task) -> None:
        events = await self._list(h.Step(0), task)
        assert events is not None, task
        task.check_list(events)
        given = {"task": task.name}
        shown = (await self.graphql(h.Step(0), SHAPE, given))["task"]
        states = [process["state"] for process in shown["processes"]["nodes"]]
        same = shown["state"] == task_state(states)
        check(same, Property.COUNTERS, f"{task.name} is {shown['state']} of {states}")
        for process, found in zip(task.processes, shown["processes"]["nodes"], strict=True):
            own = [event for event in events if event.process == process.name]
            found["jobs"] = found["jobs"]["nodes"] if "jobs" in found else [found["job"]]
            check_process(process, own, found)

    async def _check_watcher(self, watcher: Watcher) -> None:
        step = watcher.step
        if watcher.is_stalled or watcher.error == "CURSOR_INVALID":
            return
        if step.what == "all":
            for task in self.live.values():
                if task.id in watcher.snapshots:
                    await self._check_snapshot(watcher, task)
            return
        if watcher.task is None:
            return
        if self.live.get(step.task) is not watcher.task:
            await watcher.until(lambda: watcher.is_over or not watcher.is_open, CATCH_UP_S)
            over = watcher.is_over or not watcher.is_open or await self._is_of_new(watcher)
            check(over, Property.END, f"{watcher} still waits")
            return
        if step.what == "changes":
            await self._check_snapshot(watcher, watcher.task)
            return
        listed = await self._events(h.Step(0), step.task, watcher.begin)
        expected = [event.id for event in listed or () if watcher.wants(event)]
        await watcher.until(lambda: len(watcher.seen) >= len(expected), CATCH_UP_S)
        same = watcher.seen == expected
        check(same, Property.SUBSCRIBER, f"{watcher} saw {watcher.seen}, not {expected}")

    async def _is_of_new(self, watcher: Watcher) -> bool:
        """Whether it may have come so late that it watches the new task of the same name."""
        new = self.live.get(watcher.step.task)
        if new is None or watcher.begin:
            return False
        if watcher.step.what == "changes":
            return new.id in watcher.snapshots
        listed = await self._events(h.Step(0), new.name, None)
        return watcher.seen == [event.id for event in listed or () if watcher.wants(event)]

    async def _check_snapshot(self, watcher: Watcher, task: Task) -> None:
        query = f"query($task: String!) {{ task(name: $task) {watcher.selection} }}"
        now = (await self.graphql(h.Step(0), query, {"task": task.name}))["task"]
        await watcher.until(lambda: watcher.snapshots.get(task.id) == now, CATCH_UP_S)
        last = watcher.snapshots.get(task.id)
        check(last == now, Property.SNAPSHOT, f"{watcher} saw {last}, there is {now}")

    async def recover(self) -> None:
        """Write again, at every server, without a restart."""
        loop = asyncio.get_running_loop()
        for number in range(len(self.system.servers)):
            deadline = loop.time() + RECOVERY_S
            while True:
                event = {"task": PROBE, "process": "s", "eventClass": "BEAT"}
                try:
                    given = {"input": event}
                    data = await self.graphql(h.Step(number), SUBMIT, given)
                    stored = not data["submitEvent"]["userErrors"]
                    check(stored, Property.RECOVERY, data)
                    self.live[PROBE].by_jobs.add(data["submitEvent"]["event"]["uuid"])
                    break
                except UnavailableError as error:
                    in_time = loop.time() < deadline
                    check(in_time, Property.RECOVERY, f"server {number}: {error}")
                    await asyncio.sleep(0.05)

    def calm(self) -> None:
        """Let all faults end."""
        self.gate.calm()
        for server in self.system.servers:
            if server.proxy is not None:
                server.proxy.calm()

    # What is not known for certain.

    def _fate(self, event: h.Event) -> Fate | None:
        task = self.live.get(event.task)
        return None if task is None else task.fate(event.id)

    def _learn(
        self,
        event: h.Event,
        owners: Owners,
        before: Fate | None,
        answer: Any,
        together: Sequence[h.Event],
    ) -> None:
        task = owners[event.task]
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
        if before is Fate.STORED:
            check(answer["duplicate"], Property.ANSWER, f"{event} is not known again")
        elif before is not Fate.UNKNOWN and together.count(event) == 1:
            check(not answer["duplicate"], Property.ANSWER, f"{event} is new, and known")
        task.tell(event, Fate.STORED)

    def _doubt(self, task: str, what: str, error: Exception, new: Task | None) -> None:
        refused = isinstance(error, UnavailableError) and error.says_nothing_happened
        self._unresolved.setdefault(task, []).append((what, refused, new))

    def _bury(self, name: str) -> None:
        task = self.live.pop(name, None)
        if task is not None:
            self.gone.append(task)

    async def resolve(self) -> None:
        """Find out what became of tasks whose answers are missing."""
        unresolved, self._unresolved = self._unresolved, {}
        for name, doubts in unresolved.items():
            data = await self._after_trouble(
                partial(self.graphql, h.Step(0), TASK_ID, {"task": name})
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
                self._bury(name)
                if what == "create" and task_id is not None and new is not None:
                    new.id = task_id
                    self.live[name] = new

    async def _after_trouble(self, ask: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """The answer, once the server can give one."""
        self.calm()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + RECOVERY_S
        while True:
            try:
                return await ask()
            except UnavailableError as error:
                check(loop.time() < deadline, Property.RECOVERY, error)
                await asyncio.sleep(0.05)

    # Reading lists.

    async def _whole(self, step: h.Walk) -> list[Any] | None:
        """All of a list at once; jobs without a filter, with their states."""
        all_jobs = h.Walk(step.server, "jobs", step.task, step.process, (), 100, 0)
        page = await self._after_trouble(
            partial(self._page, all_jobs if step.what == "jobs" else step, None, 100)
        )
        if page is None:
            return None
        items: list[Any] = page[0]
        while page[1] is not None:
            page = await self._after_trouble(partial(self._page, step, page[1], 100))
            if page is None:
                return None
            items = [*page[0], *items] if step.backward else [*items, *page[0]]
        return items

    async def _page(
        self, step: h.Walk, place: str | None, size: int, trouble: Trouble = None
    ) -> tuple[list[Any], str | None] | None:
        """A page, and the place of the next one; None where there is no such task."""
        if step.by == "rest":
            return await self._rest_page(step, place, size, trouble)
        given: dict[str, Any] = {"task": step.task}
        if step.process is not None:
            given["process"] = step.process
        given |= {"last": size, "before": place} if step.backward else {"first": size}
        if not step.backward:
            given["after"] = place
        if step.what == "jobs":
            given["filter"] = {"states": list(step.only)} if step.only else None
            data = await self.graphql(step, JOBS, given, trouble)
            page = data["process"] and data["process"]["jobs"]
        elif step.what == "tasks":
            data = await self.graphql(step, TASKS, given, trouble)
            page = data["tasks"]
        else:
            if step.only:
                given["classes"] = list(step.only)
            query = EVENTS if step.process is None else EVENTS_OF_PROCESS
            data = await self.graphql(step, query, given, trouble)
            owner = data["task"]
            if step.process is not None:
                owner = owner and owner["process"]
            page = owner and owner["events"]
        if page is None:
            return None
        info = page["pageInfo"]
        if step.what == "jobs":
            items: list[Any] = [[node["index"], node["state"]] for node in page["nodes"]]
        elif step.what == "tasks":
            items = [node["id"] for node in page["nodes"]]
        else:
            items = [(edge["node"]["uuid"], edge["cursor"]) for edge in page["edges"]]
        if step.backward:
            return items, info["startCursor"] if info["hasPreviousPage"] else None
        return items, info["endCursor"] if info["hasNextPage"] else None

    async def _rest_page(
        self, step: h.Walk, place: str | None, size: int, trouble: Trouble
    ) -> tuple[list[Any], str | None] | None:
        query = [("limit", size), *([("after", place)] if place else [])]
        parts = () if step.what == "tasks" else (step.task, str(step.process), "event")
        answer = await self.rest(step, "GET", address(*parts, query=query), None, trouble)
        if answer.status == 404:
            return None
        check(answer.status == 200, Property.ANSWER, f"{step}: {answer}")
        link = answer.headers.get("link", "")
        after = link.partition("after=")[2].partition(">")[0].partition("&")[0] or None
        if step.what == "tasks":
            return [task["name"] for task in answer.body], after
        return [(event["id"], after or "") for event in answer.body], after

    async def _list(self, step: h.Step, task: Task) -> list[Found] | None:
        return await self._events(step, task.name, None)

    async def _events(self, step: h.Step, task: str, after: str | None) -> list[Found] | None:
        found: list[Found] = []
        while True:
            given = {"task": task, "first": 100, "after": after or None}
            data = await self._after_trouble(partial(self.graphql, step, EVENTS, given))
            if data["task"] is None:
                return None
            page = data["task"]["events"]
            for edge in page["edges"]:
                node = edge["node"]
                sent_at = node["sentAt"] and datetime.fromisoformat(node["sentAt"])
                found.append(
                    Found(
                        node["uuid"],
                        node["process"]["name"],
                        node["job"]["index"],
                        node["eventClass"],
                        node["progress"],
                        node["attempt"],
                        sent_at,
                        datetime.fromisoformat(node["receivedAt"]),
                    )
                )
            if not page["pageInfo"]["hasNextPage"]:
                return found
            after = page["pageInfo"]["endCursor"]

    # Asking.

    async def graphql(
        self, step: h.Step, query: str, variables: dict[str, Any], trouble: Trouble = None
    ) -> Any:
        """The data of an operation. Raises :class:`UnavailableError`."""
        answer = await self.raw(step, query, variables, trouble)
        errors = answer.body.get("errors")
        if errors:
            known = _code(answer) in ("STORAGE_FAILED", "BUSY", "TIMED_OUT", "OUTCOME_UNKNOWN")
            check(known or answer.status == 503, Property.ANSWER, f"{step}: {answer}")
            raise UnavailableError(errors[0]["message"])
        return answer.body["data"]

    async def raw(
        self, step: h.Step, query: str, variables: dict[str, Any], trouble: Trouble = None
    ) -> Answer:
        """The answer to an operation, whatever it is."""
        body = {"query": query, "variables": variables}
        return await self._ask(step, "POST", "/graphql", body, trouble)

    async def rest(
        self, step: h.Step, method: str, target: str, body: Any, trouble: Trouble
    ) -> Answer:
        """The answer of REST. Raises :class:`UnavailableError`."""
        answer = await self._ask(step, method, target, body, trouble)
        if answer.status == 503:
            raise UnavailableError(answer.body["errors"][0]["reason"])
        return answer

    async def _ask(
        self, step: h.Step, method: str, target: str, body: Any, trouble: Trouble
    ) -> Answer:
        fault = trouble.fault if trouble and trouble.fault in CLIENT_SIDE else None
        asking = request(self.server(step.server), method, target, body, fault)
        what = f"{method} {target} {json.dumps(body)[:500]}"
        if trouble is None or fault is not None:
            answer: Answer = await _within(DEADLINE_S, Property.DEADLINE, what, asking)
        else:
            answer = await self._under(trouble, asking, what)
        check("INTERNAL" not in json.dumps(answer.body), Property.INTERNAL, f"{what}: {answer}")
        return answer

    # Faults of the database.

    async def _under(
        self, trouble: h.Under, asking: Coroutine[Any, Any, Any], what: str = ""
    ) -> Any:
        """The result of what is asked while the fault is there; meanwhile others happen."""
        loop, held = asyncio.get_running_loop(), asyncio.Event()
        fault, proxy = trouble.fault, self.server(trouble.server).proxy
        locking: AbstractContextManager[None] = nullcontext()
        if fault is Fault.LOCK:
            assert isinstance(trouble.step, h.Submit)
            locking = self.system.locked(trouble.step.events[0].task)
        elif fault in PROXIED:
            if proxy is not None:
                await asyncio.to_thread(proxy.arm, fault)
        else:
            self.gate.arm(fault, trouble.number, lambda: loop.call_soon_threadsafe(held.set))
        with locking:
            asked = asyncio.create_task(_within(DEADLINE_S, Property.DEADLINE, what, asking))
            others = asyncio.create_task(self._meanwhile(trouble, held))
            try:
                if fault is Fault.HOLD:
                    waiting = asyncio.create_task(held.wait())
                    await asyncio.wait([waiting, asked], return_when=asyncio.FIRST_COMPLETED)
                    waiting.cancel()
                    if not held.is_set():
                        # There was no such statement: what comes now is not to be held.
                        self.gate.calm()
                        held.set()
                    is_write = not isinstance(trouble.step, h.Walk | h.Watch)
                    await asyncio.wait([others], timeout=HOLD_WRITE_S if is_write else HOLD_READ_S)
                    self.gate.calm()
                elif fault is not Fault.LOCK:
                    await asyncio.wait([asked])
                    await asyncio.to_thread(self.calm)
                await others
                return await asked
            finally:
                await asyncio.to_thread(self.calm)
                others.cancel()
                await asyncio.gather(asked, others, return_exceptions=True)

    async def _meanwhile(self, trouble: h.Under, held: asyncio.Event) -> None:
        if trouble.fault is Fault.HOLD:
            await held.wait()
        elif trouble.fault is Fault.LOCK:
            # Let the request come to the lock first.
            await asyncio.sleep(0.05)
        for step in trouble.meanwhile:
            if trouble.fault is Fault.LOCK and self.system.name == "postgresql":
                await _within(OTHERS_S, Property.OTHERS, step, self.step(step))
            else:
                await self.step(step)

    def _graphql_event(self, event: h.Event) -> dict[str, Any]:
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
        if event.at is not None:
            found["sentAt"] = (self.start + timedelta(seconds=event.at)).isoformat()
        return found

    def _rest_event(self, event: h.Event) -> dict[str, Any]:
        found = self._graphql_event(event)
        if "index" in found:
            found["arrayIndex"] = found.pop("index")
        return found


async def _within(
    seconds: float, which: Property, what: object, work: Coroutine[Any, Any, Any]
) -> Any:
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait([task], timeout=seconds)
    if not done:
        # It is left behind, since whoever hangs may not let itself be cancelled either.
        task.add_done_callback(lambda t: t.cancelled() or t.exception())
        raise Violation(which, f"no answer within {seconds} s: {what}")
    return task.result()


async def _all(works: Any) -> None:
    """Do all at once, to the end; then raise what the first one has raised."""
    for result in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


def _code(answer: Answer) -> str | None:
    errors = answer.body.get("errors") or [{}]
    code: str | None = (errors[0].get("extensions") or {}).get("code")
    return code


def _graphql_process(process: h.Process) -> dict[str, Any]:
    found: dict[str, Any] = {"name": process.name, "threshold": process.threshold}
    if process.jobs is not None:
        found |= {"jobCount": process.jobs, "firstIndex": process.first}
        found["failureTolerance"] = process.tolerance
    return found


def _rest_process(process: h.Process) -> dict[str, Any]:
    found: dict[str, Any] = {"name": process.name, "thresholdProgress": process.threshold}
    if process.jobs is not None:
        found |= {"nJobs": process.jobs, "fTolerance": process.tolerance}
    return found

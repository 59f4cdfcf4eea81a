"""Subscribers: what they have seen over all their connections, and whether it is right."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.simulation.client import Client
from tests.simulation.lists import Lists
from tests.simulation.model import Found, Property, Task, check
from tests.simulation.network import Message, Stream
from tests.simulation.operations import SNAPSHOT, WATCH_ALL, WATCH_EVENTS, WATCH_TASK
from tests.simulation.steps import Cut, Resume, Stall, Step, Walk, Watch
from tests.simulation.system import Server
from tests.simulation.tasks import Tasks
from tests.simulation.trouble import HOLD_WRITE_S, Trouble

CATCH_UP_S = 6.0
"""How long a subscriber may lag behind."""
STALL_S = 0.2
"""How long a subscriber that is to stall waits for the first event."""
RESUMABLE = ("TOO_SLOW", "STOPPING", "STORAGE_FAILED", "BUSY", "TIMED_OUT")
"""Codes of ends after which a subscriber comes back."""


class Watcher:
    """One subscriber of one life of a task."""

    selection = SNAPSHOT

    def __init__(self, step: Watch, task: Task | None) -> None:
        self.step = step
        self.task = task
        self.server: Server | None = None
        self.begin = ""
        """The cursor that it began behind."""
        self.cursor = ""
        """The cursor of what it saw last."""
        self.seen: list[str] = []
        self.snapshots: dict[str, Any] = {}
        """The last one of each task, by its id."""
        self.error: str | None = None
        self.is_over = task is None and step.what != "all"
        """Whether nothing can follow, by the word of the server."""
        self._stream: Stream | None = None
        self._reading: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    def __str__(self) -> str:
        return f"{self.step.watcher} of {self.step.what} (cursor {self.cursor!r}, {self.error})"

    @property
    def is_open(self) -> bool:
        """Whether it has a connection, on which something may come."""
        return self._stream is not None

    @property
    def is_stalled(self) -> bool:
        """Whether it reads no more."""
        return self._stream is not None and self._stream.is_stalled

    def open(self, server: Server) -> None:
        """Subscribe, behind what it has seen."""
        given: dict[str, Any] = {"task": self.step.task}
        query = WATCH_TASK
        if self.step.what == "all":
            # What has changed while nobody listened does not come.
            query, given, self.snapshots = WATCH_ALL, {}, {}
        if self.step.what == "events":
            query = WATCH_EVENTS
            given |= {"process": self.step.process, "after": self.cursor}
            given["classes"] = list(self.step.only) or None
        self.server, self.error = server, None
        self._stream = Stream(server, query, given, self.step.by)
        self._reading = asyncio.create_task(self._read(self._stream))

    def stall(self) -> None:
        """Read no more."""
        if self._stream is not None:
            self._stream.stall()

    async def cut(self) -> None:
        """Lose the connection."""
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.cut()
        if self._reading is not None:
            self._reading.cancel()

    def wants(self, event: Found) -> bool:
        """Whether an event is one that it has asked for."""
        in_process = self.step.process is None or event.process == self.step.process
        return in_process and (not self.step.only or event.event_class in self.step.only)

    async def until(self, is_so: Callable[[], bool], seconds: float) -> None:
        """Wait until something is so, or for so many seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not is_so() and (left := deadline - loop.time()) > 0:
            self._changed.clear()
            try:
                async with asyncio.timeout(left):
                    await self._changed.wait()
            except TimeoutError:
                return

    async def _read(self, stream: Stream) -> None:
        while True:
            result = await stream.results.get()
            self._take(result)
            self._changed.set()
            if result is None or "errors" in result:
                self._stream = None
                await stream.cut()
                return

    def _take(self, result: Message | None) -> None:
        if result is None:
            self.is_over = self.is_over or self.error is None
        elif "errors" in result:
            extensions = result["errors"][0].get("extensions") or {}
            self.error = str(extensions.get("code", result["errors"]))
            self.is_over = self.error not in RESUMABLE
        elif self.step.what == "events":
            edge = result["data"]["events"]
            self.seen.append(edge["node"]["uuid"])
            self.cursor = edge["cursor"]
        else:
            snapshot = result["data"]["taskChanged"]
            self.snapshots[snapshot["id"]] = snapshot


class Watchers:
    """All subscribers of a history, by their names."""

    def __init__(self, client: Client, tasks: Tasks, lists: Lists) -> None:
        self._client = client
        self._tasks = tasks
        self._lists = lists
        self._watchers: dict[str, Watcher] = {}

    async def close(self) -> None:
        """Cut all."""
        for watcher in self._watchers.values():
            await watcher.cut()

    async def cut_from(self, server: Server) -> None:
        """Cut those of a server."""
        for watcher in self._watchers.values():
            if watcher.server is server:
                await watcher.cut()

    async def come_back(self) -> None:
        """Let all resume that were cut and have not ended."""
        for watcher in self._watchers.values():
            if not watcher.is_stalled and not watcher.is_open and not watcher.is_over:
                await self._reopen(watcher, self._server(len(watcher.step.watcher)))

    async def check(self) -> None:
        """Compare what all have seen with what is there."""
        for watcher in self._watchers.values():
            await self._check_watcher(watcher)

    def _server(self, number: int) -> Server:
        return self._client.system.server(number)

    async def watch(self, step: Watch, trouble: Trouble | None) -> None:
        """Subscribe."""
        if step.watcher in self._watchers:
            return
        watcher = Watcher(step, self._tasks.live.get(step.task))
        if step.from_now and watcher.task is not None:
            walk = Walk(step.server, "events", step.task, None, (), 1, 0, backward=True)
            page = await self._lists.page(walk, None, 1)
            if page is not None and page[0]:
                watcher.cursor = watcher.begin = page[0][0][1]
        self._watchers[step.watcher] = watcher
        if trouble is None:
            watcher.open(self._server(step.server))
        else:
            await trouble.around(self._opening(watcher, self._server(step.server)))

    async def _opening(self, watcher: Watcher, server: Server) -> None:
        watcher.open(server)
        await asyncio.sleep(HOLD_WRITE_S)

    async def cut(self, step: Cut, _trouble: Trouble | None) -> None:
        """Cut a subscriber's connection."""
        if (watcher := self._watchers.get(step.watcher)) is not None:
            await watcher.cut()

    async def resume(self, step: Resume, _trouble: Trouble | None) -> None:
        """Let a subscriber come back."""
        watcher = self._watchers.get(step.watcher)
        if watcher is not None and not watcher.is_open:
            await self._reopen(watcher, self._server(step.server))

    async def _reopen(self, watcher: Watcher, server: Server) -> None:
        now = self._tasks.live.get(watcher.step.task)
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

    async def stall(self, step: Stall, _trouble: Trouble | None) -> None:
        """Let a subscriber read no more, once it has begun."""
        if (watcher := self._watchers.get(step.watcher)) is not None:
            await watcher.until(lambda: bool(watcher.seen), STALL_S)
            watcher.stall()

    async def _check_watcher(self, watcher: Watcher) -> None:
        step = watcher.step
        if watcher.is_stalled or watcher.error == "CURSOR_INVALID":
            return
        if step.what == "all":
            for task in self._tasks.live.values():
                if task.id in watcher.snapshots:
                    await self._check_snapshot(watcher, task)
            return
        if watcher.task is None:
            return
        if self._tasks.live.get(step.task) is not watcher.task:
            await watcher.until(lambda: watcher.is_over or not watcher.is_open, CATCH_UP_S)
            over = watcher.is_over or not watcher.is_open or await self._is_of_new(watcher)
            check(over, Property.END, f"{watcher} still waits")
            return
        if step.what == "changes":
            await self._check_snapshot(watcher, watcher.task)
            return
        listed = await self._lists.events(Step(0), step.task, watcher.begin)
        expected = [event.id for event in listed or () if watcher.wants(event)]
        await watcher.until(lambda: len(watcher.seen) >= len(expected), CATCH_UP_S)
        same = watcher.seen == expected
        check(same, Property.SUBSCRIBER, f"{watcher} saw {watcher.seen}, not {expected}")

    async def _is_of_new(self, watcher: Watcher) -> bool:
        """Whether it may have come so late that it watches the new task of the same name."""
        new = self._tasks.live.get(watcher.step.task)
        if new is None or watcher.begin:
            return False
        if watcher.step.what == "changes":
            return new.id in watcher.snapshots
        listed = await self._lists.events(Step(0), new.name, None)
        return watcher.seen == [event.id for event in listed or () if watcher.wants(event)]

    async def _check_snapshot(self, watcher: Watcher, task: Task) -> None:
        query = f"query($task: String!) {{ task(name: $task) {watcher.selection} }}"
        now = (await self._client.graphql(Step(0), query, {"task": task.name}))["task"]
        await watcher.until(lambda: watcher.snapshots.get(task.id) == now, CATCH_UP_S)
        last = watcher.snapshots.get(task.id)
        check(last == now, Property.SNAPSHOT, f"{watcher} saw {last}, there is {now}")

"""Subscribers: what they have seen, over all their connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.simulation.history import Watch
from tests.simulation.model import Found, Task
from tests.simulation.network import Message, Stream
from tests.simulation.operations import SNAPSHOT, WATCH_ALL, WATCH_EVENTS, WATCH_TASK
from tests.simulation.system import Server

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

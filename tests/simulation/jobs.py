"""The job side: jobs that tell by the library, with a spool, and programs that are wrapped."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from tests.simulation.lists import Lists
from tests.simulation.model import Found, Property, Violation, check, job
from tests.simulation.network import Bridge
from tests.simulation.steps import CLASSES, ENDS, RunJob, RunProgram
from tests.simulation.system import System, flush, job_environment, lamia_job_command, new_job
from tests.simulation.tasks import Tasks
from tests.simulation.trouble import Trouble

SMALL = 2_000
"""Bytes that the small proxy lets pass: some events, but not all of a job."""
MOST_FLUSHES = 12
PROGRAM_S = 10.0
"""How long a program may take that takes no time by itself."""
BETWEEN_S = 0.001


class JobSide:
    """Jobs of a history, with a folder for their spools; each server has a bridge for them."""

    def __init__(self, system: System, tasks: Tasks, lists: Lists) -> None:
        self._system = system
        self._tasks = tasks
        self._lists = lists
        self._stack = AsyncExitStack()
        self._bridges: dict[int, Bridge] = {}
        self._spool = Path()

    async def __aenter__(self) -> Self:
        self._spool = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, t: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def run_job(self, step: RunJob, _trouble: Trouble | None) -> None:
        """Let a job tell of itself."""
        task = self._tasks.live.get(step.task)
        if task is None:
            return
        bridge = await self._bridge(step.server)
        await _tell_and_flush(step, bridge, self._spool)
        found = await self._lists.events(step, task.name, None) or []
        own = [e for e in found if e.process == step.process and e.job == step.index]
        _check_story(step, own)
        task.by_jobs |= {e.id for e in own}

    async def run_program(self, step: RunProgram, _trouble: Trouble | None) -> None:
        """Wrap a program."""
        bridge = await self._bridge(step.server)
        await _compare(step, bridge, self._spool)
        # Its job has no copy of its events here.
        if (task := self._tasks.live.get(step.task)) is not None:
            found = await self._lists.events(step, task.name, None) or []
            task.by_jobs |= {e.id for e in found} - {*task.events}

    async def _bridge(self, number: int) -> Bridge:
        server = self._system.server(number)
        if id(server) not in self._bridges:
            bridge = Bridge(server)
            self._bridges[id(server)] = await self._stack.enter_async_context(bridge.serving())
        return self._bridges[id(server)]


async def _tell_and_flush(step: RunJob, bridge: Bridge, spool: Path) -> None:
    """Let a job tell its story, and flush its spool until nothing is left."""
    own = spool / uuid4().hex
    bridge.is_down = step.trouble == "away"
    bridge.loses_answers = step.trouble == "lost answers"
    bridge.largest = SMALL if step.trouble == "small proxy" else 1 << 30
    try:
        await asyncio.to_thread(_tell, step, bridge.url, own)
        bridge.is_down = bridge.loses_answers = False
        for _ in range(MOST_FLUSHES):
            if await asyncio.to_thread(flush, bridge.url, own):
                return
        left = [path.read_text()[:300] for path in own.rglob("[0-3]-*")]
        raise Violation(Property.JOB_SIDE, f"{step}: {MOST_FLUSHES} times flushed, left: {left}")
    finally:
        bridge.is_down = bridge.loses_answers = False
        bridge.largest = 1 << 30


def _tell(step: RunJob, url: str, spool: Path) -> None:
    told = new_job(step.task, step.process, step.index, url, spool)
    begin = time.time() + step.ahead
    for number, event_class in enumerate(step.classes):
        payload = "x" * step.payload if event_class in ENDS and step.payload else None
        progress = 10.0 * number if event_class == "PROGRESS" else None
        at = begin + number * BETWEEN_S
        told.emit(event_class, progress=progress, payload=payload, at=at)
    told.close(1.0)


def _check_story(step: RunJob, found: Sequence[Found]) -> None:
    """All that the job has told must be there, once, and its end count."""
    told = Counter(each for each in step.classes if each in CLASSES)
    there = Counter(event.event_class for event in found)
    check(told == there, Property.JOB_SIDE, f"{step}: told {told}, there is {there}")
    state = job(found).state
    check(state == step.classes[-1], Property.JOB_SIDE, f"{step} is {state} in the end")


async def _compare(step: RunProgram, bridge: Bridge, spool: Path) -> None:
    """Run a program with and without us; both must be alike."""
    command = ["sh", "-c", step.script]
    alone = await asyncio.to_thread(_outcome, command)
    options = ["--url", bridge.url, "--task", step.task, "--process", step.process]
    options += ["--index", "none", "--spool", str(spool), "--progress-regex", step.pattern]
    wrapped = await asyncio.to_thread(
        _outcome, [*lamia_job_command(), "run", *options, "--", *command]
    )
    check(wrapped == alone, Property.PROGRAM, f"{step}: {_short(wrapped)} is not {_short(alone)}")


def _short(outcome: tuple[int, bytes, bytes] | str) -> object:
    if isinstance(outcome, str):
        return outcome
    code, output, errors = outcome
    return code, len(output), output[-80:], errors


def _outcome(command: Sequence[str]) -> tuple[int, bytes, bytes] | str:
    try:
        done = subprocess.run(
            command, capture_output=True, env=job_environment(), timeout=PROGRAM_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"more than {PROGRAM_S} seconds"
    # Such as that there is no task of this name: the history may have deleted it.
    lines = done.stderr.splitlines(keepends=True)
    own = [line for line in lines if not line.startswith(b"lamia-job: ")]
    return done.returncode, done.stdout, b"".join(own)

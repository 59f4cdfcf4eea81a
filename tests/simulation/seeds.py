"""Running many seeds: what fails is shrunk, printed, and can be replayed."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

from tests.simulation.behaviours import EVERYTHING, Behaviour, Enabled
from tests.simulation.faults import Fault
from tests.simulation.history import make
from tests.simulation.model import Property, Violation
from tests.simulation.run import Run
from tests.simulation.steps import Step, Submit, Together, Under, show
from tests.simulation.system import system

T = TypeVar("T")
SHRINKING_S = 60.0
"""How long a failing history is made shorter."""
LOG_LINES = 30


class Failure(NamedTuple):
    """A seed whose history has violated a property."""

    seed: int
    property: Property | None
    """None where the simulator itself has failed."""
    text: str
    steps: Sequence[Step]


class Runner:
    """One engine, and all that seeds have in common."""

    def __init__(
        self, engine_name: str, only: Enabled | None = None, without: Enabled = ()
    ) -> None:
        self.engine_name = engine_name
        self.enabled = [each for each in only or EVERYTHING if each not in without]
        self._stack = ExitStack()
        self._log = _Log()

    def __enter__(self) -> Self:
        # Threads that wait for each other change more often than those of a server.
        sys.setswitchinterval(0.0005)
        self._system = self._stack.enter_context(system(self.engine_name))
        logging.getLogger().addHandler(self._log)
        self._stack.callback(logging.getLogger().removeHandler, self._log)
        self._loop = self._stack.enter_context(asyncio.Runner())
        self._stack.callback(lambda: self._loop.run(self._system.stop()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, t: TracebackType | None
    ) -> None:
        self._stack.close()

    def attempt(self, steps: Sequence[Step], seed: int = 0) -> Failure | None:
        """Run one history; what is wrong, if anything is."""
        self._log.lines.clear()
        try:
            self._loop.run(Run(self._system).run(steps))
            return None
        except Violation as violation:
            failure = Failure(seed, violation.property, str(violation), steps)
        except Exception as error:  # the history is needed to find out why
            text = "".join(traceback.format_exception(error))
            failure = Failure(seed, None, text, steps)
        # Whatever state it has left the servers in, the next one begins with others.
        self._loop.run(self._system.stop())
        return failure

    def try_seed(self, seed: int) -> Failure | None:
        """Run the history of a seed."""
        return self.attempt(make(seed, self.engine_name, self.enabled), seed)

    def run(
        self, seeds: Iterable[int], *, is_replay: bool = False, go_on: bool = False, shrink: bool
    ) -> list[Failure]:
        """Run seeds until one fails, or all; tell of them on stdout."""
        failures: list[Failure] = []
        begin, number = time.monotonic(), 0
        for seed in seeds:
            number += 1
            if is_replay:
                print("\n".join(show(make(seed, self.engine_name, self.enabled))), flush=True)
            failure = self.try_seed(seed)
            if failure is None:
                continue
            failures.append(failure)
            if go_on and not is_replay:
                name = failure.property.name if failure.property else "CRASH"
                print(f"seed {seed}: {name}: {failure.text.splitlines()[-1][:300]}", flush=True)
                continue
            print(self.explain(failure, shrink=shrink), flush=True)
            break
        passed = time.monotonic() - begin
        found = Counter(f.property.name if f.property else "CRASH" for f in failures)
        print(
            f"{number} seeds on {self.engine_name} in {passed:.1f} s"
            f" ({number / passed:.1f} a second), {len(failures)} violations {dict(found) or ''}"
        )
        return failures

    def explain(self, failure: Failure, *, shrink: bool = True) -> str:
        """The failure for people: the property, the history, the log, and how to replay it."""
        log = list(self._log.lines)[-LOG_LINES:]
        steps = self.shrink(failure) if shrink else failure.steps
        return "\n".join(
            [
                f"seed {failure.seed} on {self.engine_name} violates a property:",
                failure.text,
                "",
                f"its history, {len(steps)} of {len(failure.steps)} steps:",
                *show(steps),
                "",
                "what the servers have logged:",
                *log,
                "",
                f"replay: python -m tests.simulation --engine {self.engine_name}"
                f" --seed {failure.seed}{self._options()}",
            ]
        )

    def _options(self) -> str:
        missing = [each.name for each in EVERYTHING if each not in self.enabled]
        return f" --without {' '.join(missing)}" if missing else ""

    def shrink(self, failure: Failure) -> Sequence[Step]:
        """The history without what is not needed for the violation, as far as time allows."""
        steps = list(failure.steps)
        deadline = time.monotonic() + SHRINKING_S
        is_smaller = True
        while is_smaller and time.monotonic() < deadline:
            is_smaller = False
            for smaller in _smaller(steps):
                if time.monotonic() > deadline:
                    break
                again = self.attempt(smaller)
                if again is not None and again.property is failure.property:
                    steps, is_smaller = smaller, True
                    break
        return steps


def _smaller(steps: list[Step]) -> Iterator[list[Step]]:
    """Histories with a little less, the least first."""
    size = len(steps) // 2
    while size:
        for begin in range(0, len(steps), size):
            yield steps[:begin] + steps[begin + size :]
        size //= 2
    for place, step in enumerate(steps):
        for other in _simpler(step):
            yield [*steps[:place], other, *steps[place + 1 :]]


def _simpler(step: Step) -> Iterator[Step]:
    if isinstance(step, Under):
        yield step.step
        for less in _without_one(step.meanwhile):
            yield replace(step, meanwhile=less)
        for place, each in enumerate(step.meanwhile):
            for other in _simpler(each):
                there = step.meanwhile
                yield replace(step, meanwhile=(*there[:place], other, *there[place + 1 :]))
        for other in _simpler(step.step):
            yield replace(step, step=other)
    elif isinstance(step, Together):
        for less in _without_one(step.steps):
            yield replace(step, steps=less)
    elif isinstance(step, Submit) and len(step.events) > 1:
        for events in _without_one(step.events):
            yield replace(step, events=events)


def _without_one(items: tuple[T, ...]) -> Iterator[tuple[T, ...]]:
    for place in range(len(items)):
        yield items[:place] + items[place + 1 :]


class _Log(logging.Handler):
    """Keeps what servers log, for those seeds that fail."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(Exception):
            self.lines += self.format(record).splitlines()
            del self.lines[:-500]


def one_of(name: str) -> Behaviour | Fault:
    """The behaviour or fault of this name, for a command line."""
    for kind in (Behaviour, Fault):
        if name.upper() in kind.__members__:
            return kind[name.upper()]
    raise argparse.ArgumentTypeError(f"there is no {name}: see --list")

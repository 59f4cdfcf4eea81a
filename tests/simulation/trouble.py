"""What a request is under: a fault of the database, its deadline, and what happens meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from tests.simulation.faults import CLIENT_SIDE, PROXIED, Fault
from tests.simulation.model import Property, Violation
from tests.simulation.steps import Step, Submit, Under, Walk, Watch
from tests.simulation.system import System

DEADLINE_S = 5.0
"""How long a request may take, whatever the database does; ten times its ``database_timeout``."""
OTHERS_S = 2.0
"""How long an event may take while the row of another task is locked."""
HOLD_WRITE_S = 0.1
"""How long a write is held; what happens meanwhile may wait for it."""
HOLD_READ_S = 1.0
"""How long a read is held at most, while what happens meanwhile does not wait for it."""


class Trouble:
    """The fault of an :class:`Under`; ``do`` lets other steps happen meanwhile."""

    def __init__(
        self, under: Under, system: System, do: Callable[[Step], Coroutine[Any, Any, None]]
    ) -> None:
        self._under = under
        self._system = system
        self._do = do

    @property
    def client_fault(self) -> Fault | None:
        """The fault, where it lies between client and server."""
        return self._under.fault if self._under.fault in CLIENT_SIDE else None

    async def around(self, asking: Coroutine[Any, Any, Any], what: str = "") -> Any:
        """The result of what is asked while the fault is there; meanwhile others happen."""
        loop, held = asyncio.get_running_loop(), asyncio.Event()
        under, system = self._under, self._system
        fault, proxy = under.fault, system.server(under.server).proxy
        locking: AbstractContextManager[None] = nullcontext()
        if fault is Fault.LOCK:
            assert isinstance(under.step, Submit)
            locking = system.locked(under.step.events[0].task)
        elif fault in PROXIED:
            if proxy is not None:
                await asyncio.to_thread(proxy.arm, fault)
        else:
            system.gate.arm(fault, under.number, lambda: loop.call_soon_threadsafe(held.set))
        with locking:
            asked = asyncio.create_task(within(DEADLINE_S, Property.DEADLINE, what, asking))
            others = asyncio.create_task(self._meanwhile(held))
            try:
                if fault is Fault.HOLD:
                    waiting = asyncio.create_task(held.wait())
                    await asyncio.wait([waiting, asked], return_when=asyncio.FIRST_COMPLETED)
                    waiting.cancel()
                    if not held.is_set():
                        # There was no such statement: what comes now is not to be held.
                        system.gate.calm()
                        held.set()
                    is_write = not isinstance(under.step, Walk | Watch)
                    await asyncio.wait([others], timeout=HOLD_WRITE_S if is_write else HOLD_READ_S)
                    system.gate.calm()
                elif fault is not Fault.LOCK:
                    await asyncio.wait([asked])
                    await asyncio.to_thread(system.calm)
                await others
                return await asked
            finally:
                await asyncio.to_thread(system.calm)
                others.cancel()
                await asyncio.gather(asked, others, return_exceptions=True)

    async def _meanwhile(self, held: asyncio.Event) -> None:
        if self._under.fault is Fault.HOLD:
            await held.wait()
        elif self._under.fault is Fault.LOCK:
            # Let the request come to the lock first.
            await asyncio.sleep(0.05)
        for step in self._under.meanwhile:
            if self._under.fault is Fault.LOCK and self._system.name == "postgresql":
                await within(OTHERS_S, Property.OTHERS, step, self._do(step))
            else:
                await self._do(step)


async def within(
    seconds: float, which: Property, what: object, work: Coroutine[Any, Any, Any]
) -> Any:
    """The result of the work; a violation of the property where it takes longer."""
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait([task], timeout=seconds)
    if not done:
        # It is left behind, since whoever hangs may not let itself be cancelled either.
        task.add_done_callback(lambda t: t.cancelled() or t.exception())
        raise Violation(which, f"no answer within {seconds} s: {what}")
    return task.result()

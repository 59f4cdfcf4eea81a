"""A client of the servers: what it asks, and what kind of answer it gets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

from tests.simulation.model import Property, check
from tests.simulation.network import Answer, request
from tests.simulation.steps import Step
from tests.simulation.system import System
from tests.simulation.trouble import DEADLINE_S, Trouble, within

RECOVERY_S = 6.0
"""How long writing may fail after the faults have stopped."""


class UnavailableError(Exception):
    """The server says that it could not do it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.says_nothing_happened = "Nothing was" in message


class Client:
    """Speaks to the servers of a system, each request under its trouble."""

    def __init__(self, system: System) -> None:
        self.system = system

    async def graphql(
        self, step: Step, query: str, variables: dict[str, Any], trouble: Trouble | None = None
    ) -> Any:
        """The data of an operation. Raises :class:`UnavailableError`."""
        answer = await self.raw(step, query, variables, trouble)
        errors = answer.body.get("errors")
        if errors:
            known = code(answer) in ("STORAGE_FAILED", "BUSY", "TIMED_OUT", "OUTCOME_UNKNOWN")
            check(known or answer.status == 503, Property.ANSWER, f"{step}: {answer}")
            raise UnavailableError(errors[0]["message"])
        return answer.body["data"]

    async def raw(
        self, step: Step, query: str, variables: dict[str, Any], trouble: Trouble | None = None
    ) -> Answer:
        """The answer to an operation, whatever it is."""
        body = {"query": query, "variables": variables}
        return await self._ask(step, "POST", "/graphql", body, trouble)

    async def rest(
        self, step: Step, method: str, target: str, body: Any, trouble: Trouble | None
    ) -> Answer:
        """The answer of REST. Raises :class:`UnavailableError`."""
        answer = await self._ask(step, method, target, body, trouble)
        if answer.status == 503:
            raise UnavailableError(answer.body["errors"][0]["reason"])
        return answer

    async def _ask(
        self, step: Step, method: str, target: str, body: Any, trouble: Trouble | None
    ) -> Answer:
        fault = trouble.client_fault if trouble else None
        asking = request(self.system.server(step.server), method, target, body, fault)
        what = f"{method} {target} {json.dumps(body)[:500]}"
        if trouble is None or fault is not None:
            answer: Answer = await within(DEADLINE_S, Property.DEADLINE, what, asking)
        else:
            answer = await trouble.around(asking, what)
        text = json.dumps(answer.body)
        is_internal = "INTERNAL" in text or "can't be stored" in text
        check(not is_internal, Property.INTERNAL, f"{what}: {answer}")
        return answer

    async def after_trouble(self, ask: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """The answer, once the server can give one."""
        self.system.calm()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + RECOVERY_S
        while True:
            try:
                return await ask()
            except UnavailableError as error:
                check(loop.time() < deadline, Property.RECOVERY, error)
                await asyncio.sleep(0.05)


def code(answer: Answer) -> str | None:
    """The code of the first error of a GraphQL answer."""
    errors = answer.body.get("errors") or [{}]
    found: str | None = (errors[0].get("extensions") or {}).get("code")
    return found

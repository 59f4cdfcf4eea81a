"""A server, seen from a command: GraphQL over HTTP, with patience."""

from __future__ import annotations

import time
from typing import Any, Self

import httpx

from lamia_gql.commands.stored_operations import operation

PATIENCE = 30.0
"""Seconds for which a server that does not answer is asked again."""
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0


class RemoteError(Exception):
    """The server can't be reached, or has refused; one sentence for people."""


class AwayError(RemoteError):
    """The server can't be reached just now; it may be back in a moment."""


class Remote:
    """A server at a root address, like ``http://127.0.0.1:8088``."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._client = httpx.Client(timeout=30.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._client.close()

    def execute(
        self, operation_name: str, /, *, patient: bool = False, **variables: Any
    ) -> dict[str, Any]:
        """The data of an operation of ``schema/operations``.

        ``patient`` asks again for some time while the server is away or busy: only for what may
        arrive twice. Raises :class:`RemoteError`.
        """
        deadline = time.monotonic() + (PATIENCE if patient else 0.0)
        pause = FIRST_PAUSE
        while True:
            try:
                return self.ask(operation_name, **variables)
            except AwayError:
                if time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def ask(self, operation_name: str, /, **variables: Any) -> dict[str, Any]:
        """The data of an operation of ``schema/operations``, asked for once.

        Raises :class:`AwayError`, and :class:`RemoteError` where asking again is in vain.
        """
        try:
            response = self._client.post(
                f"{self.url}/graphql",
                json={"query": operation(operation_name), "variables": variables},
            )
        except httpx.InvalidURL as error:
            raise RemoteError(f"{self.url} is not an address: {error}.") from error
        except httpx.HTTPError as error:
            raise AwayError(f"The server at {self.url} can't be reached: {error}.") from error
        if response.status_code >= 500:
            raise AwayError(f"The server at {self.url} answers {response.status_code}.")
        try:
            body = response.json()
            errors = body.get("errors")
        except (ValueError, AttributeError) as error:
            raise RemoteError(
                f"What answers at {self.url} is not lamia-gql (status {response.status_code})."
            ) from error
        if errors:
            raise RemoteError(f"The server refused: {errors[0].get('message')}")
        data: dict[str, Any] = body["data"]
        return data

    def create_task(self, task: dict[str, Any]) -> None:
        """Make a task. Raises :class:`RemoteError` where it is refused."""
        found = self.execute("create_task", input=task)["createTask"]
        _refuse(found["userErrors"])

    def submit(self, events: list[dict[str, Any]]) -> list[bool]:
        """Store events, each of which has an ``id``; for each, whether it was enough.

        Raises :class:`RemoteError` where any is refused.
        """
        found = self.execute("submit_events", patient=True, input={"events": events})
        _refuse(found["submitEvents"]["userErrors"])
        results = found["submitEvents"]["results"]
        for result in results:
            _refuse(result["userErrors"])
        return [result["enough"] for result in results]


def _refuse(errors: list[dict[str, Any]]) -> None:
    if errors:
        raise RemoteError("The server refused: " + "; ".join(e["message"] for e in errors))

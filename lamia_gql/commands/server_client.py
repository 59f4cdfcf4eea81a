"""A client of a server: GraphQL over HTTP, with retries."""

from __future__ import annotations

import os
import time
from typing import Any, Self

import httpx

from lamia_gql import __version__
from lamia_gql.client.configuration import ConfigurationError
from lamia_gql.client.server_connection import COMMITTED
from lamia_gql.commands.client_token import TOKEN_FILE, UserToken, authorization, find_token
from lamia_gql.commands.server_proxy import find_server_proxy, proxy_options
from lamia_gql.graph.stored_operations import load_operation

REQUEST_TIMEOUT_S = 30.0
RETRY_DURATION_S = 30.0
"""How long a request to an unavailable server is retried."""
MIN_RETRY_DELAY_S, MAX_RETRY_DELAY_S = 0.2, 5.0
MAX_COMPLAINTS = 3
"""How many reasons of a refusal are shown: what is wrong with one process often is with all."""


class ServerClientError(Exception):
    """The server is unavailable or refused the request; one sentence for the user."""


class ServerUnavailableError(ServerClientError):
    """The server can't be reached or answers 5xx; a retry may succeed."""


class ServerClient:
    """A client of the server at a root address, as :func:`parse_url` returns it.

    Use it as a context manager; it keeps its connections open until the end. It sends the
    user's token (see :func:`find_token`), and raises :class:`ServerClientError` if that can't be
    read, or if there is a proxy of a kind that is not supported.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            self._token = find_token(os.environ)
        except ConfigurationError as error:
            raise ServerClientError(str(error)) from error
        try:
            self._proxy = find_server_proxy(url)
        except ValueError as error:
            raise ServerClientError(f"{url} can't be reached: {error}.") from error
        headers = authorization(self._token)
        self.has_token = self._token is not None
        """Whether it identifies the user."""
        self._client = httpx.Client(
            timeout=REQUEST_TIMEOUT_S, headers=headers | COMMITTED, **proxy_options(self._proxy)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._client.close()

    def execute(
        self, operation: str, /, *, retry: bool = False, **variables: Any
    ) -> dict[str, Any]:
        """Execute a stored operation and return its data.

        Args:
            operation: The name of a file in ``schema/operations``, without its suffix.
            retry: Whether to retry for 30 seconds while the server is unavailable. Only for
                operations that may be executed twice.
            variables: The variables of the operation.

        Raises :class:`ServerClientError`.
        """
        deadline = time.monotonic() + (RETRY_DURATION_S if retry else 0.0)
        delay = MIN_RETRY_DELAY_S
        while True:
            try:
                return self._execute_once(operation, variables)
            except ServerUnavailableError:
                if time.monotonic() + delay > deadline:
                    raise
            time.sleep(delay)
            delay = min(2 * delay, MAX_RETRY_DELAY_S)

    def _execute_once(self, operation: str, variables: dict[str, Any]) -> dict[str, Any]:
        try:
            response = self._client.post(
                f"{self.url}/graphql",
                json={"query": load_operation(operation), "variables": variables},
            )
        except httpx.InvalidURL as error:
            raise ServerClientError(f"{self.url} is not a valid address: {error}.") from error
        except httpx.HTTPError as error:
            way = f" through the proxy {self._proxy}" if self._proxy else ""
            message = f"The server at {self.url} can't be reached{way}: {error}."
            raise ServerUnavailableError(message) from error
        status = response.status_code
        if status >= 500:
            raise ServerUnavailableError(_describe(self.url, response))
        try:
            body = response.json()
            if body.get("errors"):
                refusal = _describe_refusal(self.url, body["errors"][0], self._token)
                raise ServerClientError(refusal)
            return dict(body["data"])
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            problem = f"is not lamia-gql (status {status})"
            if response.has_redirect_location:
                target = response.headers["location"]
                problem = f"has moved to {target}: use that address if it is yours"
            raise ServerClientError(f"The server at {self.url} {problem}.") from error

    def read_task(self, name: str) -> dict[str, Any]:
        """Return the ``Task`` of the operation ``watch_task``.

        Raises :class:`ServerClientError`, also if there is none of this name.
        """
        task: dict[str, Any] | None = self.execute("watch_task", name=name)["task"]
        if task is None:
            raise ServerClientError(f"There is no task “{name}” on {self.url}.")
        return task

    def delete_task(self, name: str) -> None:
        """Delete a task with its events. Raises :class:`ServerClientError`."""
        data = self.execute("delete_task", input={"name": name})
        _raise_user_errors(data["deleteTask"]["userErrors"])

    def create_task(self, task: dict[str, Any]) -> str | None:
        """Create a task from a ``CreateTaskInput``; returns the token of its jobs, if any.

        Raises :class:`ServerClientError`.
        """
        payload = self.execute("create_task", input=task)["createTask"]
        _raise_user_errors(payload["userErrors"])
        token: str | None = payload["token"]
        return token

    def submit(self, events: list[dict[str, Any]]) -> list[bool]:
        """Submit events, with retries; returns ``enough`` for each of them.

        Each event is a ``SubmitEventInput`` with an ``id``. Raises :class:`ServerClientError` if
        the server refuses any of them.
        """
        payload = self.execute("submit_events", retry=True, input={"events": events})[
            "submitEvents"
        ]
        _raise_user_errors(payload["userErrors"])
        for result in payload["results"]:
            _raise_user_errors(result["userErrors"])
        return [result["enough"] for result in payload["results"]]


def _describe_refusal(url: str, error: dict[str, Any], token: UserToken | None) -> str:
    """What is wrong with a request that a server has refused."""
    message, code = error["message"], (error.get("extensions") or {}).get("code")
    if code in ("UNAUTHENTICATED", "FORBIDDEN"):
        if token is None:
            return f"{url} needs a token: set LAMIA_TOKEN, or write it to ~/{TOKEN_FILE}."
        return f"The server refused: {message} The token is that in {token.origin}."
    if code == "GRAPHQL_VALIDATION_FAILED":
        # Our operations are valid for the server of the same version.
        return (
            f"The server at {url} does not know what lamia-gql {__version__} asks for: use the "
            f"version that it has, or update it. It says: {message}"
        )
    return f"The server refused: {message}"


def _describe(url: str, response: httpx.Response) -> str:
    """What a server that can't serve a request says about it."""
    try:
        reason = f" {response.json()['errors'][0]['message']}"
    except (ValueError, LookupError, TypeError):
        reason = ""
    return f"The server at {url} answers {response.status_code}.{reason}"


def _raise_user_errors(errors: list[dict[str, Any]]) -> None:
    if errors:
        complaints = "; ".join(error["message"] for error in errors[:MAX_COMPLAINTS])
        more = len(errors) - MAX_COMPLAINTS
        rest = f" And {more} more like these." if more > 0 else ""
        raise ServerClientError(f"The server refused: {complaints}{rest}")

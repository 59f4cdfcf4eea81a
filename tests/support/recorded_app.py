"""The application in the process of the test, so that its SQL statements can be recorded."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn

from lamia_gql.domain.settings import Settings
from lamia_gql.server.app import create_app
from lamia_gql.storage.engine import create_engine
from lamia_gql.storage.migrations import migrate


class App:
    """The application in this process, so that its SQL statements can be recorded."""

    def __init__(self, settings: Settings, client: httpx.Client) -> None:
        self.settings = settings
        self._client = client

    def graphql(self, query: str, **variables: Any) -> Any:
        """The data of an operation that must have no errors."""
        response = self._client.post("/graphql", json={"query": query, "variables": variables})
        body = response.json()
        assert "errors" not in body, body["errors"]
        return body["data"]

    def fill(self, tasks: range) -> None:
        """Make tasks, each with an array of one job that has one event."""
        names = [f"t{number}" for number in tasks]
        for begin in range(0, len(names), 100):
            answer = self.graphql(
                """mutation($input: CreateTasksInput!) { createTasks(input: $input) {
                  userErrors { message } } }""",
                input={
                    "tasks": [
                        {"name": name, "tags": ["x"], "processes": [{"name": "a", "jobCount": 1}]}
                        for name in names[begin : begin + 100]
                    ]
                },
            )
            assert answer["createTasks"]["userErrors"] == []
            answer = self.graphql(
                """mutation($input: SubmitEventsInput!) { submitEvents(input: $input) {
                  results { userErrors { message } } } }""",
                input={
                    "events": [
                        {"task": name, "process": "a", "index": 0, "eventClass": "STARTED"}
                        for name in names[begin : begin + 100]
                    ]
                },
            )
            assert all(not r["userErrors"] for r in answer["submitEvents"]["results"])


@contextmanager
def running(settings: Settings) -> Iterator[App]:
    """The application with these settings, on a fresh database."""
    engine = create_engine(settings)
    migrate(engine)
    engine.dispose()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(create_app(settings), log_config=None))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            with httpx.Client(
                base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=60
            ) as client:
                yield App(settings, client)
        finally:
            server.should_exit = True
            thread.join()

"""The addresses below ``/api/v0`` and ``/hooks``."""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.types import ASGIApp, Receive, Scope, Send

from lamia_gql.rest import events, nextflow, processes, submissions, tasks
from lamia_gql.rest.endpoint import Endpoint
from lamia_gql.rest.request import RestRequest
from lamia_gql.rest.serializers import BASE

ALL_TASKS = Endpoint(
    BASE, GET=tasks.get_many, POST=tasks.create_many, PUT=tasks.edit_many, DELETE=tasks.delete_many
)
SUBMISSIONS = Endpoint(f"{BASE}/{submissions.NAME}", POST=submissions.submit)
TASK = Endpoint(
    BASE + "/{task}", GET=tasks.get, POST=tasks.create, PUT=tasks.edit, DELETE=tasks.delete
)
ALL_PROCESSES = Endpoint(BASE + "/{task}/@all", GET=processes.get_many)
PROCESS = Endpoint(BASE + "/{task}/{process}", GET=processes.get, PATCH=events.submit)
EVENTS = Endpoint(BASE + "/{task}/{process}/event", GET=events.get, POST=events.submit)
NEXTFLOW_BASE = "/hooks/nextflow/"
NEXTFLOW = Endpoint(NEXTFLOW_BASE + "{task}", POST=nextflow.receive)
NOTHING = Endpoint(BASE)
OPERATIONS = [
    name
    for endpoint in (ALL_TASKS, SUBMISSIONS, TASK, ALL_PROCESSES, PROCESS, EVENTS, NEXTFLOW)
    for name in endpoint.operations.values()
]
"""The names of all operations."""


class RestInterface:
    """Answers the requests to these addresses; all others are for the application.

    Starlette's routes would try one pattern after the other, which takes longer than to read an
    event.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve a request."""
        if scope["type"] == "http":
            path = scope["path"].removeprefix(scope["root_path"])
            if path.startswith(BASE):
                first, *parts = path[len(BASE) :].split("/")
                if not first:
                    # Lamia's own client writes two slashes by default.
                    endpoint, task, process = _find(scope["method"], list(filter(None, parts)))
                    return endpoint.serve(RestRequest(scope, receive, task, process), send)
            elif path.startswith(NEXTFLOW_BASE):
                task = path[len(NEXTFLOW_BASE) :]
                endpoint = NEXTFLOW if task and "/" not in task else NOTHING
                return endpoint.serve(RestRequest(scope, receive, task, ""), send)
        return self._app(scope, receive, send)


def _find(method: str, parts: list[str]) -> tuple[Endpoint, str, str]:
    """The endpoint, and the task and process in the address."""
    if not parts:
        return ALL_TASKS, "", ""
    task = parts[0]
    if len(parts) == 1:
        # All other methods are those of a task of this name.
        is_submission = task == submissions.NAME and method == "POST"
        return (SUBMISSIONS, "", "") if is_submission else (TASK, task, "")
    process = parts[1]
    if len(parts) == 2:
        is_all = process == "@all"
        return (ALL_PROCESSES, task, "") if is_all else (PROCESS, task, process)
    if len(parts) == 3 and parts[2] == "event":
        return EVENTS, task, process
    return NOTHING, "", ""

"""A server in its own process, and a client for it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import httpx

from tests.support.waiting import until

START_TIMEOUT_S = 30.0
"""Seconds that a server has to become ready."""
CREATE_TASK = """mutation($input: CreateTaskInput!) { createTask(input: $input) {
  task { id name state } userErrors { code field message } } }"""
UPDATE_TASK = """mutation($input: UpdateTaskInput!) { updateTask(input: $input) { task { id } } }"""
SUBMIT_EVENT = """mutation($input: SubmitEventInput!) { submitEvent(input: $input) {
  event { id uuid } duplicate enough process { name state }
  userErrors { code field message } } }"""
SUBMIT_EVENTS = """mutation($input: SubmitEventsInput!) { submitEvents(input: $input) {
  results { event { uuid } duplicate enough userErrors { code field message } }
  userErrors { code field message } } }"""


def environment_with(settings: Mapping[str, Any]) -> dict[str, str]:
    """This process' environment with these LAMIA_* settings only."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LAMIA_")}
    return kept | {f"LAMIA_{name.upper()}": str(value) for name, value in settings.items()}


def run_cli(*arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run ``lamia-gql`` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "lamia_gql", *arguments],
        env=environment_with(settings),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def rest_errors(answer: httpx.Response) -> list[tuple[str, str | None]]:
    """The codes and fields of the errors in a REST answer, which must have reasons."""
    errors = answer.json()["errors"]
    assert all(error["reason"].endswith(".") for error in errors)
    return [(error["details"]["code"], error["details"].get("field")) for error in errors]


class Server:
    """A running ``lamia-gql serve``; settings are those of the server, by their names."""

    def __init__(self, database_url: str, folder: Path, **settings: Any) -> None:
        self.database_url = database_url
        self.settings = settings
        self.url = ""
        self._log = folder / f"server-{id(self)}.log"
        self._port = 0
        self._forgotten = 0
        self._process: subprocess.Popen[bytes] | None = None
        # Certificates are not needed here, and take longer to load than all the rest.
        self._client = httpx.Client(timeout=60, verify=False)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._process is not None:
            if "COVERAGE_PROCESS_CONFIG" in os.environ:
                # A killed process would not save what it has measured.
                self._process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(15)
            self.kill()
        self._client.close()

    def start(self) -> None:
        """Start it, or restart it on the same port."""
        begin = len(self.log())
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lamia_gql", "serve", "--port", str(self._port)],
                env=environment_with(
                    {"database_url": self.database_url, "log_level": "warning"} | self.settings
                ),
                stdout=log,
                stderr=log,
            )
        try:
            until(
                lambda: not self.is_running or self._is_ready(begin),
                lambda: f"the server did not start:\n{self.log()}",
                START_TIMEOUT_S,
            )
            assert self.is_running, f"the server did not start:\n{self.log()}"
        except AssertionError:
            self.kill()
            raise

    def _is_ready(self, begin: int) -> bool:
        address = re.search(r"on (http://[\d.]+:(\d+))/graphql", self.log()[begin:])
        if address is None:
            return False
        self.url, self._port = address[1], int(address[2])
        try:
            return self._client.get(f"{self.url}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def log(self) -> str:
        """Its output since the last :meth:`clear_log`."""
        return self._log.read_text()[self._forgotten :] if self._log.exists() else ""

    def clear_log(self) -> None:
        """Begin the log anew."""
        self._forgotten += len(self.log())

    @property
    def is_running(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """Kill it by SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        """Stop it by SIGTERM; it must exit cleanly and in time."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(15)
        self._process = None
        assert code in (0, -signal.SIGTERM), self.log()

    def request(
        self, query: str, variables: Mapping[str, Any] | None = None, **options: Any
    ) -> httpx.Response:
        """The raw answer to an operation, by POST."""
        return self._client.post(
            f"{self.url}/graphql", json={"query": query, "variables": variables}, **options
        )

    def get(self, path: str, **options: Any) -> httpx.Response:
        """The raw answer to a GET."""
        return self._client.get(f"{self.url}{path}", **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """The raw answer to a POST."""
        return self._client.post(f"{self.url}{path}", **options)

    def rest(self, method: str, path: str = "", body: Any = None, **options: Any) -> httpx.Response:
        """The raw answer of the REST interface; a body is sent as JSON, as curl would."""
        if body is not None:
            options["content"] = json.dumps(body)
        return self._client.request(method, f"{self.url}/api/v0{path}", **options)

    def graphql(self, query: str, **variables: Any) -> Any:
        """The data of an operation that must have no errors."""
        body = self.request(query, variables).json()
        assert "errors" not in body, body["errors"]
        return body["data"]

    def graphql_error(self, query: str, **variables: Any) -> dict[str, Any]:
        """The one error of an operation that must have one."""
        body = self.request(query, variables).json()
        assert len(body.get("errors", ())) == 1, body
        error: dict[str, Any] = body["errors"][0]
        return error

    def create(self, name: str, *processes: Mapping[str, Any], **fields: Any) -> None:
        """Create a task, which must be accepted."""
        payload = self.try_create(name, *processes, **fields)
        assert payload["userErrors"] == [], payload

    def try_create(self, name: str, *processes: Mapping[str, Any], **fields: Any) -> Any:
        """The payload of `createTask`."""
        task = {"name": name, "processes": list(processes), **fields}
        return self.graphql(CREATE_TASK, input=task)["createTask"]

    def submit(self, task: str, process: str, event_class: str, **fields: Any) -> Any:
        """Submit an event, which must be accepted; the payload of the answer."""
        payload = self.try_submit(task, process, event_class, **fields)
        assert payload["userErrors"] == [], payload
        return payload

    def try_submit(self, task: str, process: str, event_class: str, **fields: Any) -> Any:
        """The payload of `submitEvent`."""
        event = {"task": task, "process": process, "eventClass": event_class, **fields}
        return self.graphql(SUBMIT_EVENT, input=event)["submitEvent"]

    def submit_many(self, events: list[dict[str, Any]]) -> list[Any]:
        """The results of `submitEvents`, in batches of at most 1,000."""
        results: list[Any] = []
        for begin in range(0, len(events), 1000):
            batch = {"events": events[begin : begin + 1000]}
            results += self.graphql(SUBMIT_EVENTS, input=batch)["submitEvents"]["results"]
        return results

    def comment(self, task: str, comment: str) -> None:
        """Give a task another comment."""
        self.graphql(UPDATE_TASK, input={"name": task, "comment": comment})

    def process(self, task: str, name: str) -> Any:
        """The computed fields of a process."""
        return self.graphql(
            """query($task: String!, $name: String!) { process(task: $task, name: $name) {
              state outlook enough progress { ratio current target basis }
              counts { total pending submitted running done failed terminated }
              startedAt finishedAt lastEventAt lastEventClass estimatedFinishAt } }""",
            task=task,
            name=name,
        )["process"]

    def check_counters(self, *tasks: str) -> None:
        """Check that ``lamia-gql recount`` finds no difference."""
        done = run_cli("recount", *tasks, database_url=self.database_url)
        assert (done.returncode, done.stdout) == (0, "No difference.\n"), done.stdout + done.stderr


StartServer = Callable[..., Server]
"""The fixture ``start_server``: takes the address of a database and settings."""

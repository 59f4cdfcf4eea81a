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

from lamia_gql.domain.settings import load
from lamia_gql.ingest.recount import recount
from lamia_gql.storage.database import Database
from tests.support.forked_server import ForkedServer, run_forked
from tests.support.waiting import until

MEASURED = "COVERAGE_PROCESS_CONFIG" in os.environ
"""Whether coverage.py measures this process."""
KEPT = "LAMIA_COMPILED_QUERIES"
"""The setting that `make test-slow` switches off for a run of the tests that use GraphQL."""
START_TIMEOUT_S = 30.0
"""Seconds that a server has to become ready."""
COMMAND_TIMEOUT_S = 110.0
"""Seconds that a command has to end."""
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
    """This process' environment with these LAMIA_* settings, and :data:`KEPT`, only."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name == KEPT or not name.startswith("LAMIA_")
    }
    return kept | {f"LAMIA_{name.upper()}": str(value) for name, value in settings.items()}


def run_cli(*arguments: str, stdin: str = "", **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run ``lamia-gql`` to its end; nobody answers its questions, unless ``stdin`` does."""
    environ = environment_with(settings)
    if not MEASURED:
        return run_forked(arguments, environ, stdin, COMMAND_TIMEOUT_S)
    return subprocess.run(
        [sys.executable, "-m", "lamia_gql", *arguments],
        env=environ,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )


def rest_errors(answer: httpx.Response) -> list[tuple[str, str | None]]:
    """The codes and fields of the errors in a REST answer, which must have reasons."""
    errors = answer.json()["errors"]
    assert all(error["reason"].endswith(".") for error in errors)
    return [(error["details"]["code"], error["details"].get("field")) for error in errors]


class Server:
    """A running ``lamia-gql serve``.

    Args:
        database_url: the address of its database.
        folder: where its log is written.
        forked: whether it begins as a copy of a process, and so starts faster.
        settings: the settings of the server, by their names.
    """

    def __init__(
        self, database_url: str, folder: Path, *, forked: bool = False, **settings: Any
    ) -> None:
        self.database_url = database_url
        self.settings = settings
        # Of a copy, coverage.py would not know that it begins.
        self._forked = forked and not MEASURED
        self.url = ""
        self._log = folder / f"server-{id(self)}.log"
        self._port = 0
        self._forgotten = 0
        self._process: subprocess.Popen[bytes] | ForkedServer | None = None
        # Certificates are not needed here, and take longer to load than all the rest.
        self._client = httpx.Client(timeout=60, verify=False)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._process is not None:
            if MEASURED:
                # A killed process would not save what it has measured.
                self._process.send_signal(signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(15)
            self.kill()
        self._client.close()

    def start(self) -> None:
        """Start it, or restart it on the same port."""
        begin = len(self.log())
        self._log.touch()
        self._process = self._launch(
            ["--port", str(self._port)],
            environment_with(
                {"database_url": self.database_url, "log_level": "warning"} | self.settings
            ),
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

    def _launch(
        self, arguments: list[str], environ: dict[str, str]
    ) -> subprocess.Popen[bytes] | ForkedServer:
        if self._forked:
            return ForkedServer(arguments, environ, self._log)
        command = [sys.executable, "-m", "lamia_gql", "serve", *arguments]
        with self._log.open("ab") as log:
            return subprocess.Popen(command, env=environ, stdout=log, stderr=log)

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

    def complaints(self) -> str:
        """Its log since the last :meth:`clear_log`, without the lines of the audit log."""
        lines = self.log().splitlines(keepends=True)
        return "".join(line for line in lines if " lamia_gql.audit " not in line)

    def identify(self, token: str) -> None:
        """Send this token with all requests."""
        self._client.headers["authorization"] = f"Bearer {token}"

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
        """Check that a recount of these tasks, or of all, finds no difference."""
        session_url = self.settings.get("listen_database_url", self.database_url)
        database = Database(load(database_url=session_url))
        try:
            assert list(recount(database, tasks)) == []
        finally:
            database.close()


StartServer = Callable[..., Server]
"""The fixture ``start_server``: takes the address of a database and settings."""

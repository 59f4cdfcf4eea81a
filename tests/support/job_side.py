"""Running lamia-job, reading its events, and servers that misbehave."""

from __future__ import annotations

import contextlib
import json
import shutil
import socketserver
import ssl
import subprocess
import sys
import threading
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from lamia_gql.client.event import Event
from lamia_gql.client.event_details import DETAIL_FIELDS
from lamia_gql.client.server_connection import EventResult, ServerConnection
from tests.support.harness import Server, environment_with

ROOT = Path(__file__).parents[2]
LAMIA_JOB = [sys.executable, "-m", "lamia_gql.client"]


def job_environment(
    url: str, folder: Path, task: str = "t", process: str = "p", **more: Any
) -> dict[str, str]:
    """The environment of a job; names in ``more`` that are None are left out."""
    given = {
        "LAMIA_URL": url,
        "LAMIA_TASK": task,
        "LAMIA_PROCESS": process,
        "LAMIA_SPOOL": folder / "spool",
    } | more
    return environment_with({}) | {name: str(v) for name, v in given.items() if v is not None}


def run_lamia_job(
    environ: Mapping[str, str], *arguments: str, **options: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run lamia-job to its end."""
    done: subprocess.CompletedProcess[bytes] = subprocess.run(
        [*LAMIA_JOB, *arguments], env=environ, cwd=ROOT, capture_output=True, check=False, **options
    )
    return done


def build_pyz(folder: Path) -> Path:
    """The single file, made in a folder as it is made for nodes."""
    ignored = shutil.ignore_patterns("__pycache__")
    client = Path("lamia_gql", "client")
    shutil.copytree(ROOT / client, folder / client, ignore=ignored)
    shutil.copy(ROOT / "lamia_gql" / "__init__.py", folder / "lamia_gql")
    shutil.copy(ROOT / "Makefile", folder)
    make = ["make", "-s", f"PYTHON={sys.executable}", "job"]
    subprocess.run(make, cwd=folder, check=True, capture_output=True)
    return folder / "dist" / "lamia-job.pyz"


def stored_events(server: Server, task: str = "t") -> list[dict[str, Any]]:
    """All events of a task, in order of arrival."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = server.graphql(
            """query($task: String!, $after: String) { task(name: $task) {
              events(first: 100, after: $after) { pageInfo { endCursor hasNextPage }
                nodes { uuid eventClass progress payload attempt sentAt hostname
                  process { name } job { index } } } } }""",
            task=task,
            after=cursor,
        )["task"]["events"]
        found += page["nodes"]
        cursor = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found


def stored_event_classes(server: Server, task: str = "t") -> list[str]:
    """The classes of a task's events, sorted by `sentAt`."""
    found = sorted(stored_events(server, task), key=lambda e: str(e["sentAt"] or ""))
    return [event["eventClass"] for event in found]


def spooled_events(folder: Path) -> list[dict[str, Any]]:
    """The events in the spool of :func:`job_environment`."""
    lines: list[bytes] = []
    for path in (folder / "spool").glob("*/[0-3]-*"):
        with contextlib.suppress(FileNotFoundError):  # a job has just sent it
            lines += path.read_bytes().splitlines()
    return [json.loads(line)["event"] for line in lines]


def response_to_events(body: bytes, code: str | None = None, *, enough: bool = False) -> bytes:
    """The answer of a server that accepts all events, or refuses all with a code."""
    number = len(json.loads(body)["variables"]["input"]["events"])
    wrong = [] if code is None else [{"code": code, "field": None, "message": "No."}]
    result = {"duplicate": False, "enough": enough, "userErrors": wrong}
    return json.dumps(
        {"data": {"submitEvents": {"results": [result] * number, "userErrors": []}}}
    ).encode()


def make_event(age: float = 0.0, **fields: Any) -> Event:
    """An event with a `sentAt` of ``age`` seconds ago."""
    sent_at = (datetime.now(UTC) - timedelta(seconds=age)).isoformat()
    base = {"id": str(uuid.uuid4()), "task": "t", "process": "p", "eventClass": "BEAT"}
    return Event(base | {"sentAt": sent_at} | fields, index_found=False)


class FakeConnection(ServerConnection):
    """A connection that answers by a rule, and records the sizes of requests."""

    def __init__(self, rule: Any) -> None:
        self.rule = rule
        self.sizes: list[int] = []
        self.stored: list[str] = []

    @property
    def retry_after_s(self) -> float:
        """It never wants to be left alone."""
        return 0.0

    def submit(
        self, events: Sequence[dict[str, Any]], *, with_clock: bool = False
    ) -> list[EventResult]:
        """Apply the rule to each event; it may raise."""
        self.sizes.append(len(events))
        answers = [self.rule(event) for event in events]
        self.stored += [str(e["id"]) for e, a in zip(events, answers, strict=True) if not a.code]
        return answers


class FaultyServer:
    """A server that misbehaves in the way that ``mode`` says; it can be changed at any time.

    ``good`` takes all, ``slow`` after two seconds, ``brief`` with one request a connection;
    ``hang`` never answers; ``drip`` answers a byte a second; ``garbage`` and ``cut`` answer
    nonsense and half of the truth; ``vanish`` takes one request and is gone; ``old`` knows no
    details of events, and no HELD; a number is a status; and any other word is the code with which
    every event is refused. With ``tls`` it speaks HTTPS.

    Requests that have more bytes than ``max_bytes``, or more events than ``max_events``, are
    answered with the status ``refusal``, as by a proxy; they are in ``refused``, not in
    ``requests``. While ``may_answer`` is cleared, no request is answered.
    Answers have the header ``Location``, if it is set here.
    """

    def __init__(self, mode: str, tls: ssl.SSLContext | None = None) -> None:
        self.mode = mode
        self.max_bytes = self.max_events = 1 << 62
        self.refusal = 413
        self.location = ""
        self.refused: list[list[dict[str, Any]]] = []
        self.requests: list[tuple[dict[str, str], list[dict[str, Any]]]] = []
        self.stopping = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.connections = self.closed_connections = 0
        bad = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                bad.connections += 1
                try:
                    while bad.handle_request(self):
                        pass
                except OSError:
                    pass

        class Threads(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            request_queue_size = 100

            def shutdown_request(self, request: Any) -> None:
                super().shutdown_request(request)
                bad.closed_connections += 1

        self._server = Threads(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stopping.set()
        self.may_answer.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def handle_request(self, handler: socketserver.StreamRequestHandler) -> bool:
        """Serve one request of a connection; whether there may be another one."""
        request_line = handler.rfile.readline().decode().split()
        if not request_line:
            return False
        headers = {"path": request_line[1]}
        while (line := handler.rfile.readline().strip()) != b"":
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        body = handler.rfile.read(int(headers["content-length"]))
        mode = self.mode
        request = (headers, json.loads(body)["variables"]["input"]["events"])
        if len(body) > self.max_bytes or len(request[1]) > self.max_events:
            self.refused.append(request[1])
            handler.wfile.write(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % self.refusal)
            return True
        self.requests.append(request)
        self.may_answer.wait(60)
        if mode == "hang":
            self.stopping.wait(60)
            return False
        if mode == "vanish" and request is not self.requests[0]:
            return False
        if mode == "slow":
            self.stopping.wait(2)
        if mode == "garbage":
            handler.wfile.write(b"\x00\xff<html>What?</html>\r\n\r\n")
            return False
        status, answer = "200 OK", response_to_events(body)
        if mode.isdigit():
            status, answer = f"{mode} Hm", b"<html>No.</html>"
        elif mode.isupper():
            answer = response_to_events(body, mode)
        elif mode == "old" and any(map(_is_newer, request[1])):
            self.refused.append(self.requests.pop()[1])
            error = {"message": "What is that?", "extensions": {"code": "BAD_USER_INPUT"}}
            answer = json.dumps({"errors": [error]}).encode()
        elif mode == "enough":
            answer = response_to_events(body, enough=True)
        fields = {"Content-Length": str(len(answer))}
        if self.location:
            fields["Location"] = self.location
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        head = f"HTTP/1.1 {status}\r\n{lines}\r\n".encode()
        if mode == "cut":
            handler.wfile.write(head + answer[: len(answer) // 2])
            return False
        if mode == "drip":
            for byte in head + answer:
                handler.wfile.write(bytes([byte]))
                if self.stopping.wait(1):
                    return False
        handler.wfile.write(head + answer)
        if mode == "vanish":
            self._server.socket.close()
        return mode not in ("vanish", "brief")


def _is_newer(event: dict[str, Any]) -> bool:
    return event["eventClass"] == "HELD" or not event.keys().isdisjoint(DETAIL_FIELDS)


SKEWED = """
import datetime, os, sys, time
skew_s = float(os.environ["SKEW_S"])
clock, clock_ns = time.time, time.time_ns
time.time = lambda: clock() + skew_s
time.time_ns = lambda: clock_ns() + int(skew_s * 1e9)
class Skewed(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(seconds=skew_s)
datetime.datetime = Skewed
from lamia_gql.client.__main__ import main
main()
"""
"""A lamia-job whose clock differs from the real one by ``SKEW_S`` seconds."""


def run_skewed_lamia_job(
    environ: Mapping[str, str], skew_s: float, *arguments: str, stdin: bytes = b""
) -> None:
    """Run lamia-job on a node whose clock is ahead; it must succeed."""
    subprocess.run(
        [sys.executable, "-c", SKEWED, *arguments],
        input=stdin,
        env={**environ, "SKEW_S": str(skew_s)},
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=60,
    )


def shell_command(script: str) -> Sequence[str]:
    """A program that is a shell script."""
    return ["sh", "-c", script]


def python_command(source: str) -> list[str]:
    """A program in Python."""
    return [sys.executable, "-c", source]

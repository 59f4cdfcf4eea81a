"""One address serves every command, in any of its forms."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from lamia_gql.commands.cli import main
from tests.support.harness import Server
from tests.support.job_side import job_environment, run_lamia_job, stored_event_classes


@contextmanager
def below(path: str, server: Server) -> Iterator[str]:
    """A proxy that passes on the requests below a path; the address of the path."""

    class Proxy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if not self.path.startswith(f"{path}/"):
                self.send_error(404)
                return
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = httpx.post(
                server.url + self.path.removeprefix(path),
                content=body,
                headers={"Content-Type": self.headers["Content-Type"]},
            )
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_arguments: object) -> None:
            pass

    with running(Proxy) as url:
        yield f"{url}{path}"


@contextmanager
def running(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server with this handler; its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("path", ["", "/on/lamia"])
def test_address_means_the_same_to_every_command(
    sqlite_server: Server, tmp_path: Path, path: str
) -> None:
    """With LAMIA_URL as the root or as its /graphql, both commands find the server.

    Both take a slash at the end, and a path before it.
    """
    sqlite_server.create("t", {"name": "p"})
    with below(path, sqlite_server) as url:
        for form in (url, f"{url}/", f"{url}/graphql", f"{url}/graphql/"):
            done = run_lamia_job(job_environment(form, tmp_path), "emit", "BEAT")
            assert (done.returncode, done.stderr) == (0, b""), form
            command = ["watch", "t", "--once", "--json"]
            watched = CliRunner(env={"LAMIA_URL": form}).invoke(main, command)
            assert watched.exit_code == 0, (form, watched.stderr)
            assert json.loads(watched.stdout)["state"] == "RUNNING"
    assert stored_event_classes(sqlite_server) == ["BEAT"] * 4


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (404, {"detail": "Not Found"}, "is not lamia-gql (status 404)."),
        (200, {"data": None}, "is not lamia-gql (status 200)."),
        (400, {"errors": ["What?"]}, "is not lamia-gql (status 400)."),
        (400, {"errors": "What?"}, "is not lamia-gql (status 400)."),
        (400, {"errors": [{"message": "No.", "extensions": None}]}, "The server refused: No."),
        (301, None, "has moved to https://new.invalid: use that address if it is yours."),
    ],
)
def test_address_of_something_else(status: int, body: object, told: str) -> None:
    """Whatever a server answers that is none of ours, a command says so in a sentence."""

    class Other(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = json.dumps(body).encode()
            self.send_response(status)
            if status == 301:
                self.send_header("Location", "https://new.invalid")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_arguments: object) -> None:
            pass

    with running(Other) as url:
        done = CliRunner().invoke(main, ["tasks", "--url", url])
    assert (done.exit_code, done.stderr.endswith(f"{told}\n")) == (1, True), done.stderr

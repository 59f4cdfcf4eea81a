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

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{proxy.server_address[1]}{path}"
        finally:
            proxy.shutdown()
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

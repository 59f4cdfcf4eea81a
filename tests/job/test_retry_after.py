"""A server that asks a job to come back later is left alone until then."""

from __future__ import annotations

import http.server
import json
import threading
import time
from pathlib import Path
from typing import Any

from lamia_gql.client import Job
from tests.support.job_side import job_environment


def test_the_server_says_when_to_come_back(tmp_path: Path) -> None:
    """The first request is answered 429 with a time; the next one comes after it, and is stored."""
    asked: list[float] = []
    stored: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked.append(time.monotonic())
            answer: dict[str, Any]
            if len(asked) == 1:
                error = {"message": "More slowly.", "extensions": {"code": "RATE_LIMITED"}}
                status, answer = 429, {"errors": [error]}
            else:
                events = body["variables"]["input"]["events"]
                stored.extend(event["eventClass"] for event in events)
                results = [{"enough": False, "userErrors": []} for _ in events]
                payload = {"userErrors": [], "results": results}
                status, answer = 200, {"data": {"submitEvents": payload}}
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            if status == 429:
                self.send_header("retry-after", "3")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        environ = job_environment(url, tmp_path)
        job = Job(environ=environ)
        job.beat()
        deadline = time.monotonic() + 20
        while not stored and time.monotonic() < deadline:
            time.sleep(0.05)
        job.close()
        server.shutdown()
    assert stored == ["BEAT"]
    assert asked[1] - asked[0] >= 3

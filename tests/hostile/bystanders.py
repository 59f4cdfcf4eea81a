"""Those who use a server while it is attacked: what they wait for, and what the server takes.

``python -m tests.hostile.bystanders URL TASK PROCESS HEADERS`` asks in a loop until its input ends,
in a process of its own, so that a busy attacker does not delay it. Then it prints what it has seen.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from tests.support.waiting import until

if TYPE_CHECKING:
    from tests.support.harness import Server

LONGEST_S = 1.0
"""How long an innocent request may take at most."""
PEAK_BYTES = 400 << 20
"""The most memory that the server may take during an attack."""
SETTLED_BYTES = 150 << 20
"""The memory that it may have :data:`SETTLED_S` seconds after it."""
SETTLED_S = 60.0
INTERVAL_S = 0.05
"""How long a bystander waits after a round of requests."""
READ = "{ tasks(first: 5) { nodes { name state } } }"
EVENT = """mutation($input: SubmitEventInput!) { submitEvent(input: $input) {
  enough userErrors { code message } } }"""


class Resident(NamedTuple):
    """Bytes of a server's memory: now, and at most since :func:`forget_peak`."""

    now: int
    peak: int


def resident(server: Server) -> Resident:
    """What the server's process has in memory."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    found = {name: int(number) for name, number in re.findall(r"(VmRSS|VmHWM):\s+(\d+)", status)}
    return Resident(1024 * found["VmRSS"], 1024 * found["VmHWM"])


def forget_peak(server: Server) -> None:
    """Let the peak of the server's memory begin anew."""
    Path(f"/proc/{server.pid}/clear_refs").write_text("5")


@contextmanager
def bystanders(
    server: Server,
    task: str,
    process: str,
    *,
    headers: Mapping[str, str] | None = None,
    longest_s: float = LONGEST_S,
    peak_bytes: int = PEAK_BYTES,
    settled_bytes: int = SETTLED_BYTES,
) -> Iterator[None]:
    """Let others use the server meanwhile: its health, a list of tasks, and events of a process.

    They send these headers with all requests.

    At the end: each of their requests was answered well within ``longest_s``; the memory of the
    server has stayed below ``peak_bytes``, and is below ``settled_bytes`` within a minute; the
    server runs, and stops in time when it is told to.
    """
    forget_peak(server)
    watching = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.hostile.bystanders"),
            *(server.url, task, process, json.dumps(headers or {})),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watching.stdin is not None
    assert watching.stdout is not None
    # It has asked once, so its connection stands before the attack begins.
    assert watching.stdout.readline() == "ready\n"
    try:
        yield
        seen, _ = watching.communicate("", timeout=60)
    finally:
        watching.kill()
        watching.wait()
    assert server.is_running, server.log()
    for what, answers in json.loads(seen).items():
        assert answers["wrong"] is None, f"{what}: {answers['wrong']}"
        assert answers["longest_s"] <= longest_s, f"{what}: {answers}"
    peak = resident(server).peak
    assert peak <= peak_bytes, f"{peak >> 20} MiB at the peak"
    until(
        lambda: resident(server).now <= settled_bytes,
        lambda: f"{resident(server).now >> 20} MiB after the attack",
        SETTLED_S,
    )
    server.stop()


def _use(url: str, task: str, process: str, headers: str) -> None:
    """Ask until stdin ends, then print the longest time and the first wrong answer of each kind."""
    seen: dict[str, dict[str, Any]] = defaultdict(
        lambda: {"longest_s": 0.0, "number": 0, "wrong": None}
    )
    ended = threading.Event()

    def wait_for_end() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait_for_end, daemon=True).start()
    event = {"task": task, "process": process, "eventClass": "BEAT"}
    given = json.loads(headers)
    with httpx.Client(base_url=url, timeout=120, headers=given, verify=False) as client:

        def ask(what: str, method: str, path: str, body: Any = None) -> None:
            entry, begin = seen[what], time.monotonic()
            try:
                answer = client.request(method, path, json=body)
                good = answer.status_code == 200 and '"errors"' not in answer.text
                wrong = None if good else f"{answer.status_code} {answer.text[:500]}"
            except httpx.HTTPError as error:
                wrong = repr(error)
            entry["longest_s"] = max(entry["longest_s"], time.monotonic() - begin)
            entry["number"] += 1
            entry["wrong"] = entry["wrong"] or wrong

        while True:
            ask("health", "GET", "/healthz")
            ask("read", "POST", "/graphql", {"query": READ})
            ask("event", "POST", "/graphql", {"query": EVENT, "variables": {"input": event}})
            if seen["health"]["number"] == 1:
                # What the first requests set up does not count.
                seen.clear()
                seen["health"]["number"] = 1
                sys.stdout.write("ready\n")
                sys.stdout.flush()
            if ended.wait(INTERVAL_S):
                break
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    _use(*sys.argv[1:])

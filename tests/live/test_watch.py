"""``lamia-gql watch`` in a pseudo-terminal and in scripts."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyte

from tests.support.executions import workflow
from tests.support.harness import Server, StartServer, environment_with, run_cli
from tests.support.waiting import until

ROWS, COLUMNS = 30, 120
TIMEOUT_S = 30.0


class Terminal:
    """A pseudo-terminal with a program in it, and the screen that it shows."""

    def __init__(self, *arguments: str) -> None:
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.program = subprocess.Popen(
            [sys.executable, "-m", "lamia_gql", *arguments],
            env=environment_with({}) | {"TERM": "xterm-256color"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.program.kill()
        self.program.wait()
        os.close(self._ours)

    def text(self) -> str:
        """The current screen, without trailing blanks."""
        while select.select([self._ours], [], [], 0.05)[0]:
            try:
                data = os.read(self._ours, 65536)
            except OSError:
                break
            if not data:
                break
            self._stream.feed(data)
        return "\n".join(line.rstrip() for line in self._screen.display)

    def until(self, seen: Callable[[str], bool]) -> str:
        """Wait until the screen is as wanted, and return it."""
        text = ""

        def is_seen() -> bool:
            nonlocal text
            text = self.text()
            return seen(text)

        until(is_seen, lambda: f"the wanted picture; at last:\n{text}", TIMEOUT_S)
        return text


def test_a_task_from_its_start_to_its_end(start_server: StartServer, sqlite_url: str) -> None:
    """The display follows the task, survives a restart of the server, and ends with the task."""
    server = start_server(sqlite_url)
    server.create("night", {"name": "fill", "jobCount": 10}, {"name": "merge"})
    with Terminal("watch", "night", "--url", server.url) as terminal:
        text = terminal.until(lambda text: "merge" in text)
        assert "PENDING" in text
        for index in range(4):
            server.submit("night", "fill", "DONE", index=index)
        server.submit("night", "fill", "STARTED", index=5)
        text = terminal.until(lambda text: "40 %" in text)
        assert "RUNNING" in text

        server.kill()
        server.start()
        server.submit("night", "fill", "FAILED", index=7)
        # Half of a picture may be seen while it is drawn.
        terminal.until(
            lambda text: (
                "failing fill: 7" in text and "HOPELESS" in text and "Trying again" not in text
            )
        )
        # It went on, as a retry, and all is well in the end.
        server.submit_many(
            [
                {"task": "night", "process": "fill", "index": index, "eventClass": word}
                for index in range(10)
                for word in ("STARTED", "DONE")
            ]
        )
        server.submit("night", "merge", "DONE")
        text = terminal.until(lambda text: "SUCCEEDED" in text.splitlines()[0])
        assert "100 %" in text
        assert "failing" not in text
        assert text.count("night") == 1
        assert terminal.program.wait(TIMEOUT_S) == 0


def test_watch_survives_a_server_that_is_down(start_server: StartServer, sqlite_url: str) -> None:
    """While the server is down the last state stays on display, with a notice."""
    server = start_server(sqlite_url)
    server.create("night", {"name": "fill", "jobCount": 3})
    with Terminal("watch", "night", "--url", server.url) as terminal:
        terminal.until(lambda text: "fill" in text)
        server.kill()
        text = terminal.until(lambda text: "Trying again" in text)
        assert "fill" in text
        server.start()
        terminal.until(lambda text: "Trying again" not in text)
        server.submit("night", "fill", "DONE", index=0)
        terminal.until(lambda text: "33 %" in text)


def test_all_tasks(sqlite_server: Server) -> None:
    """Without a name, new tasks appear in the list."""
    with Terminal("watch", "--url", sqlite_server.url) as terminal:
        terminal.until(lambda text: "no tasks yet" in text)
        sqlite_server.create("first", {"name": "p"})
        sqlite_server.create("second", {"name": "p"})
        terminal.until(lambda text: "2 of 2 tasks" in text)
        sqlite_server.submit("first", "p", "DONE")
        text = terminal.until(lambda text: "SUCCEEDED" in text)
        # What was heard of last comes first.
        assert text.index("first") < text.index("second")


def test_replay_is_watched(sqlite_server: Server, tmp_path: Path) -> None:
    """The displayed progress of a replay grows, and is right.

    In the middle of it the server dies, and comes back.
    """
    server = sqlite_server
    command = [sys.executable, "-m", "lamia_gql", "replay", str(workflow(tmp_path))]
    with subprocess.Popen(
        [*command, "--speed", "20", "--name", "r", "--url", server.url],
        env=environment_with({}),
        stderr=subprocess.DEVNULL,
    ) as replay:
        until(lambda: server.process("r", "split"), "the task of the replay")
        with Terminal("watch", "r", "--url", server.url) as terminal:
            seen: list[int] = []

            def ratio(text: str) -> int:
                line = next((line for line in text.splitlines() if line.startswith("all")), "")
                words = line.split()
                if "%" in words:
                    seen.append(int(words[words.index("%") - 1]))
                return seen[-1] if seen else 0

            terminal.until(lambda text: ratio(text) < 100 and len(set(seen)) >= 3)
            server.kill()
            text = terminal.until(lambda text: "Trying again" in text)
            assert "split" in text
            server.start()
            terminal.until(lambda text: "Trying again" not in text)
            terminal.until(lambda text: ratio(text) == 100)
            text = terminal.until(lambda text: "SUCCEEDED" in text.splitlines()[0])
            assert terminal.program.wait(TIMEOUT_S) == 0
        assert replay.wait(TIMEOUT_S) == 0
    assert seen == sorted(seen)
    query = '{ task(name: "r") { state processes(first: 50) { nodes { name state } } } }'
    task = server.graphql(query)["task"]
    assert task["state"] == "SUCCEEDED"
    for process in task["processes"]["nodes"]:
        [line] = [line for line in text.splitlines() if line.startswith(process["name"])]
        assert "100 %" in line
        assert process["state"] in line


def test_for_scripts(sqlite_server: Server) -> None:
    """``--once`` prints text or JSON; exit codes report the outcome."""
    url = f"--url={sqlite_server.url}"
    sqlite_server.create("night", {"name": "fill", "jobCount": 2})
    sqlite_server.submit("night", "fill", "FAILED", index=1)
    done = run_cli("watch", "night", "--once", url)
    assert done.returncode == 0
    assert "failing fill: 1" in done.stdout
    picture = json.loads(run_cli("watch", "night", "--once", "--json", url).stdout)
    assert picture["processes"]["nodes"][0]["failing"] == "1"
    sqlite_server.submit("night", "fill", "FAILED", index=0)
    done = run_cli("watch", "night", "--json", url)
    assert (done.returncode, json.loads(done.stdout)["state"]) == (1, "FAILED")
    assert json.loads(run_cli("watch", "--once", "--json", url).stdout)["totalCount"] == 1
    missing = run_cli("watch", "nobody", url)
    assert (missing.returncode, "no task “nobody”" in missing.stderr) == (1, True)
    away = run_cli("watch", "--url", "http://127.0.0.1:9")
    assert (away.returncode, "127.0.0.1:9" in away.stderr) == (1, True)


def test_causes_and_held_jobs(sqlite_server: Server) -> None:
    """The first causes are below what fails, and held jobs have a column where there are any."""
    url = f"--url={sqlite_server.url}"
    sqlite_server.create("night", {"name": "fill", "jobCount": 40}, {"name": "merge"})
    failed: dict[str, Any] = {"task": "night", "process": "fill", "eventClass": "FAILED"}
    killed = failed | {
        "exitCode": 137,
        "signal": "SIGKILL",
        "message": "out of memory: 0x12\x1b[2J",
    }
    causes = [
        *[killed | {"index": index, "hostname": "n17"} for index in range(9)],
        *[failed | {"index": index, "exitCode": 1, "hostname": f"n{index}"} for index in (9, 10)],
        failed | {"index": 11, "message": "disk full", "hostname": "n1"},
        failed | {"index": 12, "message": "disk full", "hostname": "n2"},
        failed | {"index": 13, "message": "disk full", "hostname": "n2"},
        failed | {"index": 14},
    ]
    sqlite_server.submit_many(causes)
    with Terminal("watch", "night", "--url", sqlite_server.url) as terminal:
        text = terminal.until(lambda text: "killed" in text or "SIGKILL" in text)
        lines = [line.strip() for line in text.splitlines()]
        at = next(place for place, line in enumerate(lines) if line.startswith("failing fill"))
        assert lines[at + 1 : at + 4] == [
            "9  out of memory: # [#J (exit 137, SIGKILL)  on n17",
            "3  disk full  on n2 (2) and 1 more host",
            "2  exit 1  on n10 (1) and 1 more host",
        ]
        assert "held" not in text
        sqlite_server.submit("night", "fill", "HELD", index=20, message="no disk space")
        text = terminal.until(lambda text: "held fill: 20" in text)
        assert "held" in text.splitlines()[1]
        sqlite_server.submit("night", "merge", "FAILED", exitCode=134, message="std::bad_alloc")
        terminal.until(lambda text: "failing merge: std::bad_alloc (exit 134)" in text)
    shown = run_cli("show", "night", url).stdout
    assert re.search(r"fill +20 +HELD .*no disk space", shown)
    assert re.search(r"fill +8 +FAILED +n17 .*out of memory", shown)

"""``lamia-gql watch`` in a pseudo-terminal and in scripts."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.support.executions import workflow
from tests.support.harness import Server, StartServer, environment_with, run_cli
from tests.support.terminal import TIMEOUT_S, Terminal
from tests.support.waiting import until


def test_a_task_from_its_start_to_its_end(start_server: StartServer, sqlite_url: str) -> None:
    """The display follows the task, survives a restart of the server, and ends with the task."""
    server = start_server(sqlite_url)
    server.create("night", {"name": "fill", "jobCount": 10}, {"name": "merge"})
    with Terminal("watch", "night", "--url", server.url) as terminal:
        text = terminal.until(lambda text: "merge" in text)
        assert "pending" in text
        for index in range(4):
            server.submit("night", "fill", "DONE", index=index)
        server.submit("night", "fill", "STARTED", index=5)
        text = terminal.until(lambda text: "40 %" in text)
        assert "running" in text

        server.kill()
        server.start()
        server.submit("night", "fill", "FAILED", index=7)
        # Half of a picture may be seen while it is drawn.
        terminal.until(
            lambda text: (
                "unsuccessful fill: 7" in text
                and "cannot succeed" in text
                and "Trying again" not in text
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
        text = terminal.until(lambda text: "succeeded" in text.splitlines()[0])
        assert "100 %" in text
        assert "unsuccessful" not in text
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
        assert re.search(r"^State of \d\d:\d\d:\d\d\. ", text, re.MULTILINE)
        assert "fill" in text
        server.start()
        terminal.until(lambda text: "Trying again" not in text)
        server.submit("night", "fill", "DONE", index=0)
        terminal.until(lambda text: "33 %" in text)


def test_all_tasks(sqlite_server: Server) -> None:
    """Without a name, new tasks appear in the list, and stay where they are."""
    with Terminal("watch", "--url", sqlite_server.url) as terminal:
        terminal.until(lambda text: "no tasks yet" in text)
        sqlite_server.create("first", {"name": "p"})
        sqlite_server.create("second", {"name": "p"})
        terminal.until(lambda text: "\n2 tasks" in text)
        sqlite_server.submit("first", "p", "DONE")
        text = terminal.until(lambda text: "succeeded" in text)
        # The newest comes first, whichever was heard of last.
        assert text.index("second") < text.index("first ")


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
            seen: list[float] = []

            def ratio(text: str) -> float:
                line = next((line for line in text.splitlines() if line.startswith("all")), "")
                words = line.split()
                if "%" in words:
                    seen.append(float(words[words.index("%") - 1]))
                return seen[-1] if seen else 0

            terminal.until(lambda text: ratio(text) < 100 and len(set(seen)) >= 3)
            server.kill()
            text = terminal.until(lambda text: "Trying again" in text)
            assert "split" in text
            server.start()
            terminal.until(lambda text: "Trying again" not in text)
            terminal.until(lambda text: ratio(text) == 100)
            text = terminal.until(lambda text: "succeeded" in text.splitlines()[0])
            assert terminal.program.wait(TIMEOUT_S) == 0
        assert replay.wait(TIMEOUT_S) == 0
    assert seen == sorted(seen)
    query = '{ task(name: "r") { state processes(first: 50) { nodes { name state } } } }'
    task = server.graphql(query)["task"]
    assert task["state"] == "SUCCEEDED"
    for process in task["processes"]["nodes"]:
        [line] = [line for line in text.splitlines() if line.startswith(process["name"])]
        assert "100 %" in line
        assert process["state"].lower() in line


def test_in_small_and_large_terminals(sqlite_server: Server) -> None:
    """Trouble is always in sight, keys scroll to the rest, and a new size is used at once."""
    arrays = [{"name": f"fill-{number:02}", "jobCount": 10} for number in range(40)]
    sqlite_server.create("night", *arrays, {"name": "merge"})
    event = {"task": "night", "eventClass": "DONE"}
    sqlite_server.submit_many(
        [
            *({**event, "process": f"fill-{n:02}", "index": 0} for n in range(40)),
            {**event, "process": "fill-31", "index": 7, "eventClass": "FAILED", "exitCode": 3},
            {**event, "process": "fill-12", "index": 4, "eventClass": "HELD"},
        ]
    )
    with Terminal("watch", "night", "--url", sqlite_server.url, columns=60, rows=10) as terminal:
        shown = r"(?s)night  cannot succeed.*trouble first"
        lines = terminal.until(lambda text: bool(re.fullmatch(shown, text))).splitlines()
        assert [line.split()[0] for line in lines[1:6]] == [
            *("process", "fill-31", "fill-12", "fill-00", "all"),
        ]
        assert lines[6:9] == [
            "unsuccessful fill-31: 7",
            "        1  exit 3  on unknown host",
            "held fill-12: 4",
        ]
        assert lines[9] == "1-3 of 41 processes, trouble first"

        terminal.press("j")
        terminal.until(lambda text: "2-4 of 41" in text)
        terminal.press("\x1b[6~")
        terminal.until(lambda text: "5-7 of 41" in text)
        terminal.press("G")
        text = terminal.until(lambda text: "39-41 of 41" in text)
        assert "merge" in text
        assert "unsuccessful fill-31: 7" in text
        # Another one is in trouble and goes up; who looks at the end still sees the end.
        sqlite_server.submit("night", "fill-20", "FAILED", index=3)
        text = terminal.until(lambda text: "unsuccessful fill-20: 3" in text)
        assert "39-41 of 41" in text
        terminal.press("\x1b[H")
        text = terminal.until(lambda text: "1-3 of 41" in text)
        assert text.splitlines()[2].startswith("fill-20")

        terminal.resize(200, 80)
        lines = terminal.until(lambda text: "\n41 processes, trouble first" in text).splitlines()
        assert len(lines) == 80
        assert lines[-1].endswith("q: quit")
        assert "progress" in lines[1]
        terminal.press("q")
        text = terminal.until(lambda _text: terminal.program.poll() is not None)
        assert terminal.program.returncode == 130
        # The terminal has again what it had, and then the whole picture.
        assert terminal.text().count("\nmerge ") == 1


def test_selected_tasks(sqlite_server: Server) -> None:
    """Some users' and tags' tasks in some states, those in trouble first, as they change."""
    create = sqlite_server.create
    for number in range(4):
        create(f"ada-{number}", {"name": "p", "jobCount": 9}, username="ada", tags=["run-7"])
        sqlite_server.submit(f"ada-{number}", "p", "STARTED", index=0)
    create("other", {"name": "p", "jobCount": 9}, username="ada")
    create("grace-0", {"name": "p", "jobCount": 9}, username="grace", tags=["run-7"])
    sqlite_server.submit("ada-1", "p", "FAILED", index=3)
    sqlite_server.submit("ada-2", "p", "HELD", index=5)
    selection = ("--user", "ada", "--tag", "run-7", "--state", "running")
    with Terminal("watch", *selection, "--url", sqlite_server.url) as terminal:
        text = terminal.until(lambda text: "4 tasks, trouble first" in text)
        assert re.findall(r"^(\S+) .*(cannot succeed|at risk|running) ", text, re.MULTILINE) == [
            *(("ada-1", "cannot succeed"), ("ada-2", "at risk")),
            *(("ada-3", "running"), ("ada-0", "running")),
        ]
        sqlite_server.submit_many(
            [
                {"task": "ada-3", "process": "p", "index": index, "eventClass": "DONE"}
                for index in range(9)
            ]
        )
        text = terminal.until(lambda text: "3 tasks, trouble first" in text)
        assert "ada-3" not in text
    url = f"--url={sqlite_server.url}"
    none = run_cli("watch", "--user", "nobody", "--once", url)
    assert none.stdout == "No task matches.\n"
    both = run_cli("watch", "ada-1", "--user", "ada", url)
    assert (both.returncode, "give no TASK" in both.stderr) == (2, True)


def test_a_stall(sqlite_server: Server) -> None:
    """Where nothing ends although jobs run, that is told with its time in place of an estimate."""
    sqlite_server.create("night", {"name": "fill", "jobCount": 40})
    for word, indices in (("STARTED", range(20)), ("DONE", range(10))):
        sqlite_server.submit_many(
            [
                {"task": "night", "process": "fill", "index": index, "eventClass": word}
                for index in indices
            ]
        )
    url = f"--url={sqlite_server.url}"
    told = run_cli("watch", "night", "--once", url).stdout
    assert "jobs/min" in told.splitlines()[0]
    assert "stalled" not in told
    # As if all of that had been an hour ago.
    path = sqlite_server.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE sample SET at = at - 3600")
        database.execute("UPDATE process SET sampled_since = sampled_since - 3600")
    for command in (
        ["watch", "night", "--once"],
        ["show", "night"],
        ["tasks"],
        ["watch", "--once"],
    ):
        told = run_cli(*command, url).stdout
        assert re.search(r"stalled (since )?(\d\d:\d\d|\d{4}-\d\d-\d\d)", told)
        assert "/min" not in told


def test_the_terminal_is_given_back(sqlite_server: Server) -> None:
    """While it is suspended, and when it is ended, the terminal is as it was before."""
    sqlite_server.create("night", {"name": "fill", "jobCount": 3})
    with Terminal("watch", "night", "--url", sqlite_server.url) as terminal:
        terminal.until(lambda text: "q: quit" in text)
        assert not terminal.waits_for_lines()
        terminal.press("\x1a")
        terminal.until(lambda text: text.strip() == "" and terminal.waits_for_lines())
        terminal.program.send_signal(signal.SIGCONT)
        terminal.until(lambda text: "q: quit" in text and not terminal.waits_for_lines())
        terminal.program.terminate()
        terminal.until(lambda text: "q: quit" not in text and "fill" in text)
        assert terminal.program.wait(TIMEOUT_S) == 128 + signal.SIGTERM
        assert terminal.waits_for_lines()


def test_for_scripts(sqlite_server: Server) -> None:
    """``--once`` prints text or JSON; exit codes report the outcome."""
    url = f"--url={sqlite_server.url}"
    sqlite_server.create("night", {"name": "fill", "jobCount": 2})
    sqlite_server.submit("night", "fill", "FAILED", index=1)
    done = run_cli("watch", "night", "--once", url)
    assert done.returncode == 0
    assert "unsuccessful fill: 1" in done.stdout
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
        *[killed | {"index": index, "hostname": "n17.example.org"} for index in range(9)],
        *[failed | {"index": n, "exitCode": 1, "hostname": f"10.0.0.{n}"} for n in (9, 10)],
        failed | {"index": 11, "message": "disk full", "hostname": "n1"},
        failed | {"index": 12, "message": "disk full", "hostname": "n2"},
        failed | {"index": 13, "message": "disk full", "hostname": "n2"},
        failed | {"index": 14},
    ]
    sqlite_server.submit_many(causes)
    with Terminal("watch", "night", "--url", sqlite_server.url) as terminal:
        text = terminal.until(lambda text: "killed" in text or "SIGKILL" in text)
        lines = [line.strip() for line in text.splitlines()]
        at = next(place for place, line in enumerate(lines) if line.startswith("unsuccessful fill"))
        assert lines[at + 1 : at + 4] == [
            "9  out of memory: # [#J (exit 137, SIGKILL)  on n17",
            "3  disk full  on n2 (2) and 1 more host",
            "2  exit 1  on 10.0.0.10 (1) and 1 more host",
        ]
        assert "held" not in text
        sqlite_server.submit("night", "fill", "HELD", index=20, message="no disk space")
        text = terminal.until(lambda text: "held fill: 20" in text)
        assert "held" in text.splitlines()[1]
        sqlite_server.submit("night", "merge", "FAILED", exitCode=134, message="std::bad_alloc")
        terminal.until(lambda text: "failed merge: std::bad_alloc (exit 134)" in text)
    shown = run_cli("show", "night", url).stdout
    assert re.search(r"fill +20 +held .*\n +no disk space", shown)
    assert re.search(r"fill +8 +failed +n17.example.org .*\n +out of memory", shown)

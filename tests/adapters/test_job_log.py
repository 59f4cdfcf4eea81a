"""GNU parallel's log becomes events: of the real one, and of what it may write."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.follower import FollowerProcess, follower
from tests.support.harness import Server, environment_with
from tests.support.job_side import ROOT, FaultyServer, build_pyz, stored_events
from tests.support.recipes import find_recipe
from tests.support.tools import find_parallel
from tests.support.waiting import until

FILL = ("--task", "night", "--process", "fill")
HEADER = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n"


def test_200_jobs(sqlite_server: Server, tmp_path: Path) -> None:
    """They are followed while GNU parallel runs them: exit codes, signals, times, hosts."""
    parallel = find_parallel()
    server, log = sqlite_server, tmp_path / "joblog"
    server.create("night", {"name": "fill", "jobCount": 200, "firstIndex": 1})
    script = "sleep 0.01; case $(({} % 10)) in 3) exit 4;; 7) kill -9 $$;; esac"
    with follower(tmp_path / "home", server.url, "joblog", log, *FILL) as process:
        command = [parallel, "-j8", "--joblog", str(log), script, ":::", *map(str, range(1, 201))]
        done = subprocess.run(
            command, env={**environment_with({}), "HOME": str(tmp_path)}, timeout=60, check=False
        )
        assert done.returncode == 40
        until(lambda: len(stored_events(server, "night")) == 400, process.output)
        assert process.stop() == 0
    counts = server.process("night", "fill")["counts"]
    assert (counts["done"], counts["failed"]) == (160, 40)
    jobs = server.graphql(
        """query { process(task: "night", name: "fill") { ... on JobArray {
          three: job(index: 3) { exitCode signal hostname usage { wallSeconds } }
          seven: job(index: 7) { exitCode signal } } } }"""
    )["process"]
    assert (jobs["three"]["exitCode"], jobs["three"]["signal"]) == (4, None)
    assert jobs["three"]["hostname"] == socket.gethostname()
    assert 0 < jobs["three"]["usage"]["wallSeconds"] < 10
    assert jobs["seven"] == {"exitCode": None, "signal": "SIGKILL"}
    server.check_counters()


def test_jobs_that_are_killed_and_tried_again(sqlite_server: Server, tmp_path: Path) -> None:
    """What GNU parallel kills is TERMINATED; what --resume-failed runs again overrules."""
    parallel = find_parallel()
    server, log, ready = sqlite_server, tmp_path / "joblog", tmp_path / "ready"
    server.create("night", {"name": "fill", "jobCount": 2, "firstIndex": 1})
    environ = {**environment_with({}), "HOME": str(tmp_path)}
    options = ["--joblog", str(log), "--timeout", "1"]
    script = f"[ -e {ready} ] || {{ [ {{}} = 1 ] && exit 3; sleep 30; }}"
    home = tmp_path / "home"

    def run(*more: str) -> list[tuple[str, object, object]]:
        command = [parallel, *options, *more, script, ":::", "1", "2"]
        subprocess.run(command, env=environ, capture_output=True, timeout=60, check=False)
        assert FollowerProcess(home, server.url, "joblog", log, *FILL, "--once").wait() == 0
        nodes = server.graphql(
            """query { process(task: "night", name: "fill") { ... on JobArray {
              jobs(first: 9) { nodes { state exitCode message } } } } }"""
        )["process"]["jobs"]["nodes"]
        return [(node["state"], node["exitCode"], node["message"]) for node in nodes]

    killed = "Killed by GNU parallel (--timeout or --halt)."
    assert run() == [("FAILED", 3, None), ("TERMINATED", None, killed)]
    ready.touch()
    assert run("--resume-failed") == [("DONE", 0, None), ("DONE", 0, None)]


@pytest.fixture
def node(sqlite_server: Server, tmp_path: Path) -> Path:
    """A folder with what the recipes need, and a server with their task."""
    build = tmp_path / "build"
    build.mkdir()
    shutil.copy(build_pyz(build), tmp_path)
    script = tmp_path / "simulate.sh"
    script.write_text("#!/bin/sh\n[ $1 != 3 ] && [ $1 != c ]\n")
    script.chmod(0o755)
    array = {"name": "simulate", "jobCount": 10, "firstIndex": 1}
    sqlite_server.create("night", array)
    return tmp_path


@pytest.mark.parametrize("name", ["joblog", "sequence", "xargs", "make"])
def test_recipes(sqlite_server: Server, node: Path, name: str) -> None:
    """The recipes of the documentation, as they are printed."""
    if name in ("joblog", "sequence"):
        find_parallel()
    (node / "Makefile").write_text(find_recipe("gnu-parallel", "Makefile"))
    commands = node / "bin"
    commands.mkdir()
    for command, module in (("lamia-gql", "lamia_gql"), ("python3", "")):
        target = f"{sys.executable} {'-m ' + module if module else ''}"
        (commands / command).write_text(f'#!/bin/sh\nexec {target} "$@"\n')
        (commands / command).chmod(0o755)
    settings = {"url": sqlite_server.url, "task": "night", "process": "simulate", "spool": node}
    environ = environment_with(settings) | {"HOME": str(node), "PYTHONPATH": str(ROOT)}
    environ["PATH"] = f"{commands}:{environ['PATH']}"
    script = find_recipe("gnu-parallel", name)
    subprocess.run(["bash", "-c", script], cwd=node, env=environ, timeout=60, check=False)
    nodes = sqlite_server.graphql(
        """query { process(task: "night", name: "simulate") { ... on JobArray {
          jobs(first: 10) { nodes { index state } } } } }"""
    )["process"]["jobs"]["nodes"]
    found = {job["index"]: job["state"] for job in nodes}
    assert found == {index: "FAILED" if index == 3 else "DONE" for index in range(1, 11)}


def test_lines_of_all_kinds(tmp_path: Path) -> None:
    """Half a line waits; commands of several lines, and other hosts, are understood."""
    log, home = tmp_path / "joblog", tmp_path / "home"
    lines = [
        HEADER,
        "2\t4/eve@node7\t1795825629.010\t     0.005\t0\t2\t0\t0\techo a\n",
        "echo b\t1\t2\t3\n",
        "\n",
        "1\t:\t1795825628.994\t     1.100\t0\t0\t0\t15\tkill -TERM $$\n",
    ]
    log.write_text("".join(lines) + "3\t:\t1795825629.5\t")
    with FaultyServer("good") as server:
        command = (home, server.url, "joblog", log, *FILL, "--first-index", "0", "--once")
        assert FollowerProcess(*command).wait() == 0
        first = [event for _, sent in server.requests for event in sent]
        with log.open("a") as file:
            file.write(" 2.0\t0\t0\t1\t0\tfalse\n")
        assert FollowerProcess(*command).wait() == 0
        rest = [event for _, sent in server.requests for event in sent][len(first) :]
        server.requests.clear()
        other = FollowerProcess(tmp_path / "other", *command[1:])
        assert other.wait() == 0
        again = [event for _, sent in server.requests for event in sent]
    assert [(e["eventClass"], e["index"], e["hostname"]) for e in first] == [
        ("STARTED", 1, "node7"),
        ("DONE", 1, "node7"),
        ("STARTED", 0, socket.gethostname()),
        ("FAILED", 0, socket.gethostname()),
    ]
    assert first[1]["sentAt"] == "2026-11-28T00:27:09.015000+00:00"
    assert first[3]["signal"] == "SIGTERM"
    assert [(e["eventClass"], e["index"]) for e in rest] == [("STARTED", 2), ("FAILED", 2)]
    assert again == first + rest

"""`lamia-gql tasks`, `show`, `indices` and `delete`: what people otherwise do with curl."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lamia_gql.commands import server_client
from lamia_gql.commands.cli import main
from lamia_gql.commands.task_table import NAME_CHARACTERS
from tests.support.harness import Server, environment_with


def run(server: Server | str, *arguments: str, **options: Any) -> Result:
    """Run a command in this process, which is quicker than a process of its own."""
    url = server if isinstance(server, str) else server.url
    others: dict[str, str | None] = {name: None for name in os.environ if name.startswith("LAMIA_")}
    runner = CliRunner(env=others | {"LAMIA_URL": url, "COLUMNS": "200", "TZ": "UTC"})
    return runner.invoke(main, arguments, catch_exceptions=False, **options)


def lines(done: Result) -> list[dict[str, Any]]:
    """The lines of JSON that a command has printed."""
    assert done.exit_code == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def names(done: Result) -> list[str]:
    """The names in lines of JSON."""
    return [task["name"] for task in lines(done)]


def test_tasks_are_listed(sqlite_server: Server) -> None:
    """The newest come first, as a table or as JSON; all conditions hold; the limit is told."""
    assert run(sqlite_server, "tasks").stdout == "There are no tasks yet.\n"
    for number in range(30):
        sqlite_server.create(
            f"night-{number}",
            {"name": "p"},
            username="ada" if number % 2 else "grace",
            tags=["odd", "data"] if number % 2 else ["data"],
        )
    sqlite_server.submit("night-3", "p", "DONE")
    sqlite_server.submit("night-5", "p", "FAILED")

    done = run(sqlite_server, "tasks")
    assert done.stdout.splitlines()[-1] == "30 tasks, newest first"
    assert done.stdout.index("night-29") < done.stdout.index("night-0 ")
    # More than one page of the server.
    assert names(run(sqlite_server, "tasks", "--json")) == [f"night-{n}" for n in range(29, -1, -1)]
    (task,) = lines(run(sqlite_server, "tasks", "night-3", "--json"))
    assert (task["state"], task["counts"]["done"], task["username"]) == ("SUCCEEDED", 1, "ada")

    some = run(sqlite_server, "tasks", "--json", "--limit", "27")
    assert len(names(some)) == 27
    assert some.stderr == "27 of 30 tasks: see --limit.\n"
    assert "2 of 30 tasks" in run(sqlite_server, "tasks", "--limit", "2").stdout

    wanted = ("--user", "ada", "--tag", "odd", "--tag", "data", "--state", "failed")
    assert names(run(sqlite_server, "tasks", "--json", *wanted)) == ["night-5"]
    both = ("--state", "failed", "--state", "SUCCEEDED")
    assert names(run(sqlite_server, "tasks", "--json", *both)) == ["night-5", "night-3"]
    assert names(run(sqlite_server, "tasks", "--json", "*-1", "night-?2")) == [
        *("night-22", "night-12", "night-1"),
    ]
    assert run(sqlite_server, "tasks", "day").stdout == "No task matches.\n"
    assert lines(run(sqlite_server, "tasks", "day", "--json")) == []


def test_names_are_no_markup(sqlite_server: Server) -> None:
    """Names with brackets are shown as they are."""
    sqlite_server.create("a[b]", {"name": "fill[red]", "jobCount": 2})
    sqlite_server.submit("a[b]", "fill[red]", "FAILED", index=0)
    assert "a[b] " in run(sqlite_server, "tasks").stdout
    assert "a[b] " in run(sqlite_server, "watch", "--once").stdout
    assert run(sqlite_server, "show", "a[b]").stdout.count("fill[red]") == 5


def test_a_task_that_is_deleted_meanwhile(
    sqlite_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is known of it already is shown."""
    sqlite_server.create("night", {"name": "fill", "jobCount": 2})
    sqlite_server.submit("night", "fill", "FAILED", index=0)
    execute = server_client.ServerClient.execute

    def execute_late(
        client: server_client.ServerClient, operation: str, /, **options: Any
    ) -> dict[str, Any]:
        if operation == "failing_jobs":
            sqlite_server.rest("DELETE", "/night")
        return execute(client, operation, **options)

    monkeypatch.setattr(server_client.ServerClient, "execute", execute_late)
    done = run(sqlite_server, "show", "night")
    assert done.exit_code == 0
    assert "unsuccessful fill: 0" in done.stdout


def test_an_older_server(sqlite_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it does not know is told with what to do, not as a mistake of the user."""
    document = "{ tasks(first: 1) { nodes { ofTomorrow } } }"
    monkeypatch.setattr(server_client, "load_operation", lambda _name: document)
    for command in ("tasks", "watch"):
        done = run(sqlite_server, command)
        assert (done.exit_code, done.stdout) == (1, "")
        assert "use the version that it has, or update it." in done.stderr
        assert "Cannot query field 'ofTomorrow' on type 'Task'." in done.stderr


@pytest.mark.parametrize(
    ("columns", "left_out"),
    [
        (60, {"progress", "rate", "ends in", "pend", "subm"}),
        (80, {"progress", "rate"}),
        (200, set()),
    ],
)
def test_a_line_for_a_task(sqlite_server: Server, columns: int, left_out: set[str]) -> None:
    """In a narrow terminal names are cut, after columns that say less were left out."""
    name = "calibration-of-the-second-night-2026-11-27"
    sqlite_server.create(name, {"name": "fill-of-the-second-night-2026", "jobCount": 1000})
    sqlite_server.submit(name, "fill-of-the-second-night-2026", "DONE", index=0)
    for arguments in ("tasks",), ("watch", "--once"), ("show", name):
        done = run(sqlite_server, *arguments, env={"COLUMNS": str(columns)})
        (place,) = [n for n, line in enumerate(done.stdout.splitlines()) if " run " in line]
        headings, line = done.stdout.splitlines()[place : place + 2]
        assert len(line) <= columns
        optional = ("progress", "rate", "ends in", "pend", "subm", "late", "lost", "held")
        assert {word for word in optional if word not in headings} == left_out | {
            *("late", "lost", "held"),
        }
        shown, state, *others = line.split()
        waiting = [] if "pend" in left_out else ["999", "·"]
        assert state == "running"
        assert others[:2] == ["0.1", "%"]
        assert others[2 : len(waiting) + 6] == [*waiting, "·", "1", "·", "·"]
        full = name if arguments[0] != "show" else "fill-of-the-second-night-2026"
        assert shown == full if columns == 200 else full.startswith(shown.rstrip("…"))
        assert len(shown) >= NAME_CHARACTERS


def create_failing_task(server: Server) -> None:
    """A task with jobs that have failed, are lost, and are fine."""
    server.create(
        "night",
        {"name": "fill", "jobCount": 20, "firstIndex": 1, "beatInterval": 1},
        {"name": "fit", "jobCount": 2},
        {"name": "merge"},
        comment="With the\nnew calibration",
        username="ada",
        hostname="login1",
        tags=["data", "2026"],
        submittedAt="2026-11-27T12:00:00Z",
    )
    long_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    died = {"exitCode": 139, "stderr": ["Loading", "\x1b[2JSegmentation fault"]}
    for index, event_class, fields in (
        (2, "FAILED", {"hostname": "node2", "payload": died}),
        (3, "FAILED", {"hostname": "node3\x1b]0;owned\x07"}),
        (4, "TERMINATED", {"hostname": "node2", "payload": {"signal": "SIGTERM"}}),
        (5, "BEAT", {"hostname": "node5", "sentAt": long_ago}),
        (6, "DONE", {"hostname": "node2"}),
    ):
        server.submit("night", "fill", event_class, index=index, **fields)
    server.submit("night", "merge", "FAILED", payload={"error": "no input"})


def test_a_task_is_shown(sqlite_server: Server) -> None:
    """Its origin, its processes, and the failed and lost jobs with their hosts and reasons."""
    create_failing_task(sqlite_server)
    done = run(sqlite_server, "show", "night")
    assert done.exit_code == 0, done.stderr
    told = [line.rstrip() for line in done.stdout.splitlines()]
    assert re.match("night  cannot succeed  ", told[0])
    assert told[1:4] == [
        "submitted by ada from login1 at 2026-11-27 12:00:00 tagged 2026, data",
        "With the",
        "new calibration",
    ]
    (fill,) = [
        line.split() for line in told if line.startswith("fill") and "cannot succeed" in line
    ]
    # The lost job is one of those that run.
    assert fill[fill.index("%") + 1 :][:7] == ["15", "·", "1", "1", "1", "2", "1"]
    assert "lost fill: 5" in told
    assert "unsuccessful fill: 2-4" in told
    start = next(place for place, line in enumerate(told) if line.startswith("process  job"))
    rows = [re.split(r"  +", line) for line in told[start + 1 :]]
    assert [[*row[:4], *row[5:]] for row in rows[:4]] == [
        ["fill", "2", "failed", "node2", "exit code 139:", "[2JSegmentation fault"],
        ["fill", "3", "failed", "node3 ]0;owned"],
        ["fill", "4", "terminated", "node2", "SIGTERM"],
        ["fill", "5", "lost", "node5"],
    ]
    assert [*rows[4][:2], rows[4][-1]] == ["merge", "failed", "no input"]
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout

    task = json.loads(run(sqlite_server, "show", "night", "--json", "--limit", "1").stdout)
    fill, fit, merge = (process["failingJobs"] for process in task["processes"]["nodes"])
    assert [(job["index"], job["hostname"]) for job in fill] == [(2, "node2"), (5, "node5")]
    assert (fit, len(merge)) == ([], 1)
    missing = run(sqlite_server, "show", "day")
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert missing.stderr == f"There is no task “day” on {sqlite_server.url}.\n"


def test_jobs_in_a_narrow_terminal(sqlite_server: Server) -> None:
    """A line each, in which names and hosts are cut, and below it the whole reason."""
    process, host = "reconstruction-of-the-second-night", "node035.cluster.example.org"
    sqlite_server.create("night", {"name": process, "jobCount": 9, "failureTolerance": 9})
    message = "terminate called after throwing an instance of 'std::bad_alloc' in step 5 of 7"
    for index, told in ((3, {"message": message, "exitCode": 134}), (4, {})):
        sqlite_server.submit("night", process, "FAILED", index=index, hostname=host, **told)
    for columns, names in (
        (60, (f"{process[:13]}…", f"{host[:19]}…")),
        (80, (f"{process[:26]}…", host)),
        (200, (process, host)),
    ):
        done = run(sqlite_server, "show", "night", env={"COLUMNS": str(columns)})
        rows = done.stdout.partition("last sign")[2].splitlines()[1:]
        assert max(map(len, rows)) <= columns
        first, *reason = rows[:-1]
        assert (first.split()[0], first.split()[3]) == names
        assert " ".join([*first.split()[5:], *" ".join(reason).split()]) == f"{message} (exit 134)"
        assert len(reason) == (0 if columns == 200 else 2)


def test_indices_for_a_resubmission(sqlite_server: Server) -> None:
    """They stand alone on stdout, as ranges or in lines; the exit code tells if there are none."""
    create_failing_task(sqlite_server)

    def indices(*arguments: str) -> tuple[int, str, str]:
        done = run(sqlite_server, "indices", *arguments)
        return done.exit_code, done.stdout, done.stderr

    assert indices("night", "fill", "--state", "failed") == (0, "2-3\n", "")
    both = ("--state", "FAILED", "--state", "terminated")
    assert indices("night", "fill", *both) == (0, "2-4\n", "")
    assert indices("night", "fill", *both, "--lost") == (0, "2-4,5\n", "")
    assert indices("night", "fill", "--lost") == (0, "5\n", "")
    assert indices("night", "fill", "--lost", "--state", "running") == (0, "5\n", "")
    assert indices("night", "fill", "--state", "failed", "--state", "done", "--lines") == (
        *(0, "2\n3\n6\n", ""),
    )
    assert indices("night", "fit", *both, "--lost") == (
        *(3, "", "No job of “fit” is FAILED or TERMINATED or LOST.\n"),
    )
    url = sqlite_server.url
    assert indices("night", "merge", "--lost") == (
        *(1, "", "“merge” is a solitary process, whose job has no index.\n"),
    )
    for task, process in (("day", "fill"), ("night", "day")):
        assert indices(task, process, "--lost") == (
            *(1, "", f"There is no process “{process}” of a task “{task}” on {url}.\n"),
        )
    code, out, told = indices("night", "fill")
    assert (code, out, "--state failed" in told) == (2, "", True)
    code, out, told = indices("night", "fill", "--state", "broken")
    assert (code, out, "'broken' is not one of" in told) == (2, "", True)
    assert run("http://127.0.0.1:9", "indices", "night", "fill", "--lost").exit_code == 1


def test_tasks_are_deleted(sqlite_server: Server) -> None:
    """Only after a yes, or with --yes; what does not exist is told, and does not stop the rest."""
    for name in ("a", "b", "c", "-e"):
        sqlite_server.create(name, {"name": "p"})
    for answer, ending in (("n\n", "Nothing was deleted.\n"), ("", "Aborted!\n")):
        done = run(sqlite_server, "delete", "a", "b", input=answer)
        assert (done.exit_code, done.stdout) == (1, "")
        assert "Delete “a”, “b” with all events? [y/N]" in done.stderr
        assert done.stderr.endswith(ending)
    assert len(names(run(sqlite_server, "tasks", "--json"))) == 4

    done = run(sqlite_server, "delete", "a", input="y\n")
    assert (done.exit_code, done.stdout) == (0, "Deleted “a”.\n")
    done = run(sqlite_server, "delete", "--yes", "b", "none", "c")
    assert (done.exit_code, done.stdout) == (1, "Deleted “b”.\nDeleted “c”.\n")
    assert done.stderr == "The server refused: There is no task “none”.\n"
    assert run(sqlite_server, "delete", "--yes", "--", "-e").exit_code == 0
    assert names(run(sqlite_server, "tasks", "--json")) == []
    away = run("http://127.0.0.1:9", "delete", "--yes", "a", "b")
    assert (away.exit_code, away.stdout, len(away.stderr.splitlines())) == (1, "", 1)
    assert run(sqlite_server, "delete").exit_code == 2


def test_in_a_pipe(sqlite_server: Server) -> None:
    """As processes of their own: names go from one command to the next, without a terminal."""
    sqlite_server.create("old one", {"name": "p"})
    environ = environment_with({"url": sqlite_server.url})
    command = f"{sys.executable} -m lamia_gql"
    script = f"""{command} tasks --json "old*" |
      {sys.executable} -c 'import json, sys; [print(json.loads(l)["name"]) for l in sys.stdin]' |
      xargs -d '\\n' {command} delete --yes"""
    done = subprocess.run(["sh", "-c", script], env=environ, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Deleted “old one”.\n", "")


def test_bash_takes_the_documented_line() -> None:
    """After the line of the documentation, bash has a completion for the command."""
    page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()
    (line,) = re.findall(r"^eval .*COMPLETE.*$", page, re.MULTILINE)
    bin_folder = str(Path(sys.executable).parent)
    done = subprocess.run(
        ["bash", "-c", f"{line}\ncomplete -p lamia-gql"],
        env=environment_with({}) | {"PATH": f"{bin_folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "lamia-gql" in done.stdout


@pytest.mark.parametrize(
    ("words", "completion"),
    [
        ("lamia-gql ind", "plain,indices"),
        ("lamia-gql indices night fill --st", "plain,--state"),
        ("lamia-gql indices night fill --state fa", "plain,failed"),
    ],
)
def test_completion(words: str, completion: str) -> None:
    """The shell completes commands, options and states by the documented variable."""
    given = words.split()
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lamia-gql"))],
        env=environment_with({})
        | {
            "_LAMIA_GQL_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(given) - 1),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == [completion]

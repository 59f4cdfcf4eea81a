"""`lamia-gql submit` creates a task from a file or from options."""

from __future__ import annotations

import getpass
import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lamia_gql.commands.cli import main
from lamia_gql.commands.job_exports import find_loopback_warning
from tests.support.harness import Server, run_cli

TASK = """query($name: String!) { task(name: $name) {
  username email comment tags hostname submittedAt config dependencies
  processes { nodes { name jobCount threshold beatInterval
    ... on JobArray { firstIndex failureTolerance } } } } }"""


def submit(*arguments: str, **settings: Any) -> Result:
    """Run the command in this process, which is quicker than a process of its own."""
    given = {f"LAMIA_{name.upper()}": str(value) for name, value in settings.items()}
    others: dict[str, str | None] = {name: None for name in os.environ if name.startswith("LAMIA_")}
    return CliRunner(env={**others, **given}).invoke(
        main, ["submit", *arguments], catch_exceptions=False
    )


def exports(*arguments: str, **settings: Any) -> dict[str, str]:
    """The variables that a shell has after evaluating the output."""
    done = submit(*arguments, **settings)
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.partition("=")[0] for line in lines] == ["export LAMIA_URL", "export LAMIA_TASK"]
    script = 'eval "$1"; printf "%s\\n" "$LAMIA_URL" "$LAMIA_TASK"'
    shell = subprocess.run(
        ["sh", "-c", script, "sh", done.stdout], capture_output=True, text=True, check=True
    )
    url, task = shell.stdout.splitlines()
    return {"LAMIA_URL": url, "LAMIA_TASK": task}


def refusal(*arguments: str, **settings: Any) -> tuple[int, str]:
    """The exit code and message of a command that must fail without output."""
    done = submit(*arguments, **settings)
    assert done.stdout == ""
    return done.exit_code, done.stderr.strip().splitlines()[-1]


def test_as_a_process_of_its_own(sqlite_server: Server) -> None:
    """The installed command prints exports, or fails with a message."""
    words = ("submit", "--name", "t", "--solitary", "a")
    done = run_cli(*words, url=sqlite_server.url)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"export LAMIA_URL={sqlite_server.url}\nexport LAMIA_TASK=t\n"
    again = run_cli(*words, url=sqlite_server.url)
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr == "The server refused: There is a task “t” already.\n"


def test_it_warns_of_an_address_that_leads_every_machine_to_itself(sqlite_server: Server) -> None:
    """What jobs on other machines can't use is exported with a warning, and LAMIA_PUBLIC_URL helps.

    The warning is one line on stderr, which names an address that may work.
    """
    url = sqlite_server.url
    done = submit("--name=local", "--solitary=a", url=url + "/graphql")
    assert done.stdout.startswith(f"export LAMIA_URL={url}\n")
    (warning,) = done.stderr.splitlines()
    assert f"LAMIA_PUBLIC_URL={url.replace('127.0.0.1', socket.gethostname())} " in warning

    public = "https://lamia.example.org/monitor"
    done = submit("--name=public", "--solitary=a", url=url, public_url=f"{public}/graphql/")
    assert done.stderr == ""
    assert done.stdout == f"export LAMIA_URL={public}\nexport LAMIA_TASK=public\n"
    assert sqlite_server.graphql(TASK, name="public")["task"] is not None

    code, told = refusal("--name=bad", "--solitary=a", url=url, public_url="lamia.example.org")
    assert (code, "such as http://host:8088" in told) == (2, True)
    assert sqlite_server.graphql(TASK, name="bad")["task"] is None


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("http://127.0.0.1:8088", "http://HERE:8088"),
        ("http://127.3.2.1", "http://HERE"),
        ("https://localhost/lamia", "https://HERE/lamia"),
        ("http://lamia.localhost.:80", "http://HERE:80"),
        ("http://[::1]:8088", "http://HERE:8088"),
        ("http://0.0.0.0:8088", "http://HERE:8088"),
        ("http://10.0.0.1:8088", None),
        ("http://[2001:db8::1]:8088", None),
        ("http://lamia.example.org", None),
        ("http://localhost.example.org", None),
    ],
)
def test_addresses_of_this_machine_only(url: str, public: str | None) -> None:
    """Loopback addresses are told from others by their form, without asking a name server."""
    warning = find_loopback_warning(url)
    if public is None:
        assert warning is None
    else:
        assert warning is not None
        assert f"={public.replace('HERE', socket.gethostname())} or" in warning


def test_a_task_from_options(sqlite_server: Server) -> None:
    """Options describe a task; user, host and time are filled in."""
    found = exports(
        *("--name", "night", "--array", "fill:1000", "--array", "a:b:5-24", "--solitary", "merge"),
        *("--solitary", "clean", "--comment", "Why", "--tag", "b", "--tag", "a"),
        url=sqlite_server.url + "/",
    )
    assert found == {"LAMIA_URL": sqlite_server.url, "LAMIA_TASK": "night"}
    task = sqlite_server.graphql(TASK, name="night")["task"]
    assert task["processes"]["nodes"] == [
        {
            "name": name,
            "jobCount": count,
            "threshold": None,
            "beatInterval": None,
            "firstIndex": first,
            "failureTolerance": 0,
        }
        for name, count, first in (("fill", 1000, 0), ("a:b", 20, 5))
    ] + [
        {"name": name, "jobCount": 1, "threshold": None, "beatInterval": None}
        for name in ("merge", "clean")
    ]
    assert (task["comment"], task["tags"]) == ("Why", ["a", "b"])
    assert (task["username"], task["hostname"]) == (getpass.getuser(), socket.gethostname())


FIELDS = {
    "name": "night",
    "username": "ada",
    "email": "ada@example.org",
    "comment": "From a file",
    "tags": ["x"],
    "hostname": "login",
    "submittedAt": "2026-11-24T03:00:00+00:00",
    "config": {"a": [1, None]},
    "dependencies": {"merge": ["fill"]},
    "processes": [
        {"name": "fill", "jobCount": 9, "firstIndex": 1, "failureTolerance": 2, "threshold": 5},
        {"name": "merge", "beatInterval": 60},
    ],
}


def test_a_task_from_a_file(sqlite_server: Server, tmp_path: Path) -> None:
    """A file has all fields of a task; options override and extend it."""
    file = tmp_path / "task.json"
    file.write_text(json.dumps(FIELDS))
    url = sqlite_server.url
    assert exports(str(file), "--url", url) == {"LAMIA_URL": url, "LAMIA_TASK": "night"}
    found = exports(str(file), "--name", "day", "--tag", "y", "--solitary", "end", url=url)
    assert found["LAMIA_TASK"] == "day"
    night = sqlite_server.graphql(TASK, name="night")["task"]
    processes = night.pop("processes")["nodes"]
    assert night == {key: FIELDS[key] for key in night}
    assert [list(process.values()) for process in processes] == [
        ["fill", 9, 5.0, None, 1, 2],
        ["merge", 1, None, 60.0],
    ]
    day = sqlite_server.graphql(TASK, name="day")["task"]
    assert (day["tags"], day["comment"]) == (["x", "y"], "From a file")
    assert [p["name"] for p in day["processes"]["nodes"]] == ["fill", "merge", "end"]


def test_toml_datetimes(sqlite_server: Server, tmp_path: Path) -> None:
    """TOML datetimes become times, and strings within config."""
    file = tmp_path / "task.toml"
    file.write_text(
        'name = "t"\nsubmittedAt = 2026-11-24T04:00:00+01:00\nprocesses = [{name = "a"}]\n'
        "[config]\nday = 2026-11-24\n"
    )
    exports(str(file), url=sqlite_server.url)
    task = sqlite_server.graphql(TASK, name="t")["task"]
    assert task["submittedAt"] == "2026-11-24T03:00:00+00:00"
    assert task["config"] == {"day": "2026-11-24"}


@pytest.mark.parametrize("name", ["night's end", 'a "b" $(touch x) `y` \\n', "ночь; exit 1", "-e"])
def test_names_survive_the_shell(sqlite_server: Server, name: str) -> None:
    """Any name survives quoting for the shell."""
    found = exports(f"--name={name}", "--solitary", "a", url=sqlite_server.url)
    assert found["LAMIA_TASK"] == name
    assert sqlite_server.graphql(TASK, name=name)["task"] is not None


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--array", "a:3"], "has no name"),
        (["--name", "t"], "has no processes"),
        (["--name", "t", "--array", "a"], "NAME:JOBS"),
        (["--name", "t", "--array", ":3"], "NAME:JOBS"),
        (["--name", "t", "--array", "a:3-"], "NAME:JOBS"),
        (["--name", "t", "--array", "a:-3"], "NAME:JOBS"),
        (["--name", "t", "--array", "a:5-4"], "before its first"),
        (["--name", "\udcff", "--solitary", "a"], "can't be sent as JSON"),
        (["missing.toml"], "does not exist"),
    ],
)
def test_bad_options(arguments: list[str], reason: str) -> None:
    """Invalid options are refused before a server is contacted."""
    code, told = refusal(*arguments, url="http://127.0.0.1:9")
    assert code == 2
    assert reason in told


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("t.toml", "name = ", "can't be read as TOML"),
        ("t.json", "{", "can't be read as JSON"),
        ("t.json", "[1]", "must have an object"),
        ("t.json", '{"name": "t", "processes": {}}', "processes must be a list"),
        ("t.toml", 'name = "t"\ntags = "a"\nprocesses = [{name = "a"}]', "tags must be a list"),
        ("t.toml", 'name = "t"\nprocesses = [{name = "a", threshold = inf}]', "sent as JSON"),
        ("t.json", '{"name": "t", "processes": [{"name": "\\ud800"}]}', "sent as JSON"),
        ("t.yaml", "name: t", ".toml or .json"),
    ],
)
def test_bad_files(tmp_path: Path, name: str, text: str, reason: str) -> None:
    """An error in a file is one sentence, with exit code 2."""
    (tmp_path / name).write_text(text)
    code, told = refusal(str(tmp_path / name), url="http://127.0.0.1:9")
    assert code == 2
    assert reason in told


def test_what_the_server_refuses(sqlite_server: Server, tmp_path: Path) -> None:
    """A refusal by the server, or no server, is one sentence, with exit code 1."""
    url = sqlite_server.url
    words = ("--name", "t", "--solitary", "a")
    exports(*words, url=url)
    assert refusal(*words, url=url) == (1, "The server refused: There is a task “t” already.")
    code, told = refusal("--name", "u", "--array", "a:0", url=url)
    assert code == 1
    assert "An array has from 1 to" in told
    file = tmp_path / "t.toml"
    file.write_text('name = "u"\nprocesses = [{name = "a", jobs = 3}]')
    code, told = refusal(str(file), url=url)
    assert code == 1
    assert "unknown field 'jobs'" in told
    code, told = refusal(*words, url="http://127.0.0.1:9")
    assert code == 1
    assert "can't be reached" in told

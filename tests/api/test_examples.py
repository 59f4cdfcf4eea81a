"""The examples of the documentation give the answers that it shows."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.harness import Server
from tests.support.tools import require

ROOT = Path(__file__).parents[2]
PAGES = ["rest.md", "submit.md"]
ANYTHING = "…"
ADDRESS = "http://127.0.0.1:8088"


@pytest.fixture(autouse=True)
def curl() -> None:
    """Skip the tests where curl or bash are missing."""
    for tool in ("curl", "bash"):
        require(shutil.which(tool), tool)


def shell(command: str, server: Server, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a bash command in a folder, with the server's address filled in."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        env=os.environ
        | {
            "LAMIA_URL": server.url,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def blocks(page: str, kind: str) -> list[str]:
    """The code blocks of one kind on a page of the documentation."""
    text = (ROOT / "docs" / page).read_text()
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def examples(page: str) -> Iterator[tuple[str, str]]:
    """The commands of a page, each with the answer that it shows."""
    for block in blocks(page, "console"):
        for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            # A command goes on over line breaks within quotes.
            end = example.index("\n")
            while example[:end].count("'") % 2:
                end = example.index("\n", end + 1)
            yield example[:end], example[end + 1 :]


def agrees(shown: Any, found: Any) -> bool:
    """Whether a value equals the one that is shown, apart from placeholders."""
    if isinstance(shown, str) and isinstance(found, str):
        pattern = re.escape(shown).replace(ANYTHING, ".*")
        return re.fullmatch(pattern, found, re.DOTALL) is not None
    if shown == ANYTHING:
        return True
    if isinstance(shown, dict) and isinstance(found, dict):
        return list(shown) == list(found) and all(agrees(shown[k], found[k]) for k in shown)
    if isinstance(shown, list) and isinstance(found, list):
        return len(shown) == len(found) and all(map(agrees, shown, found))
    return bool(shown == found)


def parts(output: str) -> list[Any]:
    """The parts of an output: JSON documents, and lines of text."""
    found: list[Any] = []
    while output := output.lstrip():
        try:
            value, end = json.JSONDecoder().raw_decode(output)
        except ValueError:
            value, _, output = output.partition("\n")
            found.append(value.rstrip())
            continue
        found.append(value)
        output = output[end:]
    return found


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_the_documentation_are_true(
    sqlite_server: Server, tmp_path: Path, page: str
) -> None:
    """Every command of a page, run in order, gives the answer that is shown."""
    for file in blocks(page, "toml"):
        (tmp_path / file.split()[1]).write_text(file)
    told = list(examples(page))
    assert len(told) >= 4
    for command, shown in told:
        done = shell(command, sqlite_server, tmp_path)
        assert done.returncode == 0, (command, done.stderr)
        assert agrees(parts(shown), parts(done.stdout)), (command, done.stdout)


def test_no_two_pages_create_a_task_of_the_same_name() -> None:
    """Who tries one page after the other on one server is never told that a name is taken."""
    pattern = (
        r"""/api/v0/([a-z]\w+)|submit .*--name "?([a-z]\w+)"""
        r"""|LAMIA_TASK=(\w+)|"input": \{\s*"name": "(\w+)"""
    )
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    creators: dict[str, set[str]] = {}
    for page in pages:
        for names in re.findall(pattern, page.read_text()):
            for name in set(names) - {"", "events"}:
                creators.setdefault(name, set()).add(page.name)
    assert {"tour", "survey", "scan"} <= creators.keys()
    assert {name: found for name, found in creators.items() if len(found) > 1} == {}


def test_the_loop_of_the_documentation_reads_all_pages(
    sqlite_server: Server, tmp_path: Path
) -> None:
    """The documented loop over pages prints each entry once, in order."""
    sqlite_server.create("day", {"name": "fill", "jobCount": 250})
    sqlite_server.submit_many(
        [
            {"task": "day", "process": "fill", "index": index, "eventClass": "STARTED"}
            for index in range(250)
        ]
    )
    (loop,) = [block for block in blocks("rest.md", "sh") if "while" in block]
    done = shell(loop, sqlite_server, tmp_path)
    assert done.returncode == 0, done.stderr
    pages = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["procNumInArray"] for page in pages for event in page] == list(range(250))


def test_the_script_of_the_documentation_makes_a_task(
    sqlite_server: Server, tmp_path: Path
) -> None:
    """With the variables that `submit` prints, a script's jobs report to their task."""
    (script,) = [block for block in blocks("submit.md", "sh") if "eval" in block]
    done = shell(script, sqlite_server, tmp_path)
    assert done.returncode == 0, done.stderr
    (task,) = sqlite_server.rest("GET").json()
    assert (task["name"][:6], task["state"], task["progress"]) == ("scan-1", "SUCCEEDED", 100.0)


def test_quick_start_answers_what_it_shows(sqlite_server: Server, tmp_path: Path) -> None:
    """Each command of the README, run in order, gives the answer that is printed below it."""
    readme = (ROOT / "README.md").read_text()
    pairs = re.findall(r"```sh\n(curl .*?)```\n\n```json\n(.*?)```", readme, re.DOTALL)
    assert len(pairs) == 3
    for command, answer in pairs:
        done = shell(command.replace(ADDRESS, sqlite_server.url), sqlite_server, tmp_path)
        assert json.loads(done.stdout) == json.loads(answer), command


def test_a_script_with_nothing_but_curl(server: Server, tmp_path: Path) -> None:
    """A shell script creates, runs and deletes a task by REST; GraphQL shows the same."""
    script = (ROOT / "tests" / "support" / "life.sh").read_text()
    done = shell(script, server, tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "The task has gone."
    task = server.graphql(
        """{ task(name: "kept") { state progress { ratio } tags
          processes { nodes { name state enough counts { done terminated } } } } }"""
    )["task"]
    assert task == {
        "state": "SUCCEEDED",
        "progress": {"ratio": 1.0},
        "tags": ["curl"],
        "processes": {
            "nodes": [
                {
                    "name": "search",
                    "state": "SUCCEEDED",
                    "enough": True,
                    "counts": {"done": 2, "terminated": 3},
                },
                {
                    "name": "merge",
                    "state": "SUCCEEDED",
                    "enough": False,
                    "counts": {"done": 1, "terminated": 0},
                },
            ]
        },
    }
    server.check_counters()

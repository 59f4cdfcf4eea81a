"""`lamia-gql resubmit`: what to paste to run the failed jobs again."""

from __future__ import annotations

import json

import pytest

from lamia_gql.commands.resubmission import split_indices
from tests.api.test_task_commands import create_failing_task, run
from tests.support.harness import Server

ALL = "failed,terminated,lost"


def resubmit(server: Server, *arguments: str) -> tuple[int, str, str]:
    """The exit code and the output of the command."""
    done = run(server, "resubmit", *arguments)
    return done.exit_code, done.stdout, done.stderr


def test_forms(sqlite_server: Server) -> None:
    """Each batch system gets what it takes; lost jobs only if they are asked for."""
    create_failing_task(sqlite_server)
    assert resubmit(sqlite_server, "night", "fill", "--as", "slurm") == (0, "--array=2-3\n", "")
    expected = {
        "slurm": "--array=2-4,5\n",
        "condor": "queue index in (2, 3, 4, 5)\n",
        "lsf": "fill[2-4,5]\n",
        "grid-engine": "-t 2-4\n-t 5\n",
        "list": "2\n3\n4\n5\n",
        "json": '[{"process": "fill", "indices": "2-4,5"}]\n',
    }
    for form, text in expected.items():
        done = resubmit(sqlite_server, "night", "fill", "--state", ALL, "--as", form)
        assert done == (0, text, "")
    assert resubmit(sqlite_server, "night", "fill", "--state", "lost,running") == (0, "5\n", "")
    assert resubmit(sqlite_server, "night", "fill", "--state", "failed", "--state", "lost") == (
        *(0, "2\n3\n5\n", ""),
    )


def test_all_processes_of_a_task(sqlite_server: Server) -> None:
    """Each has its name above, and a solitary process is named."""
    names = [f"fit-{number:02}" for number in range(30)]
    arrays = [{"name": name, "jobCount": 5} for name in names]
    sqlite_server.create("night", *arrays, {"name": "merge"}, {"name": "plot"})
    for name in names:
        sqlite_server.submit("night", name, "FAILED", index=3)
    sqlite_server.submit("night", "merge", "FAILED")
    code, out, _ = resubmit(sqlite_server, "night", "--as", "slurm")
    assert code == 0
    assert out.splitlines() == [
        *(line for name in names for line in (f"# {name}", "--array=3")),
        "# merge, whose only job has no index",
    ]
    assert resubmit(sqlite_server, "night", "fit-0[0-9]", "--as", "slurm")[0] == 1
    code, out, _ = resubmit(sqlite_server, "night", "fit-0*", "--as", "lsf")
    assert out.splitlines()[:2] == ["# fit-00", "fit-00[3]"]
    assert len(out.splitlines()) == 20
    code, out, _ = resubmit(sqlite_server, "night", "merge", "--as", "json")
    assert json.loads(out) == [{"process": "merge", "indices": ""}]


def test_nothing_to_submit(sqlite_server: Server) -> None:
    """Nothing is printed that could be pasted, and the exit code is 1."""
    create_failing_task(sqlite_server)
    assert resubmit(sqlite_server, "night", "fit", "--state", ALL) == (
        *(
            1,
            "",
            "Nothing to submit: no job of “fit” of “night” is FAILED or TERMINATED or LOST.\n",
        ),
    )
    url = sqlite_server.url
    assert resubmit(sqlite_server, "day") == (1, "", f"There is no task “day” on {url}.\n")
    assert resubmit(sqlite_server, "night", "day") == (
        *(1, "", f"There is no process “day” of the task “night” on {url}.\n"),
    )
    code, out, told = resubmit(sqlite_server, "night", "fill", "--state", "failed,broken")
    assert (code, out, "'BROKEN' is not one of" in told) == (2, "", True)


@pytest.mark.parametrize("length", [3, 7, 8, 100])
def test_long_lists_are_split(length: int) -> None:
    """No part is longer than allowed, and together they are all indices."""
    indices = "1,3,10-20,7" if length > 6 else "1,3,5,777"
    parts = list(split_indices(indices, length))
    assert ",".join(parts) == indices
    assert max(map(len, parts)) <= length

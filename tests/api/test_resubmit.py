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


def test_the_jobs_of_one_cause(sqlite_server: Server) -> None:
    """``show`` tells each cause in full, with hosts and jobs; each can be submitted again alone."""
    sqlite_server.create("night", {"name": "fill it", "jobCount": 40}, {"name": "merge"})
    memory = {"message": "terminate called after std::bad_alloc", "exitCode": 134}
    for index in range(12):
        host = f"node{index % 5}.example.org"
        sqlite_server.submit("night", "fill it", "FAILED", index=index, hostname=host, **memory)
    for index in (20, 22, 23):
        told = {"message": f"no such file: /data/{index}.root", "exitCode": 74}
        sqlite_server.submit("night", "fill it", "FAILED", index=index, hostname="bad", **told)
    sqlite_server.submit("night", "merge", "FAILED", hostname="bad", message="no input")

    shown = run(sqlite_server, "show", "night", "--limit", "1", env={"COLUMNS": "60"}).stdout
    text = " ".join(shown.split())
    assert "why jobs of fill it were unsuccessful, where, and which:" in text
    first = text.index(
        "12 terminate called after std::bad_alloc (exit 134) on node0.example.org (3)"
    )
    assert "node1.example.org (3), node2.example.org (2) and 2 more hosts 0-11 3 no such" in text
    assert text.index("3 no such file: … (exit 74) on bad 20,22-23") > first
    command = "To run them again: lamia-gql resubmit night 'fill it' --state failed,terminated"
    assert command in shown.splitlines()
    assert (
        f"{command} --url {sqlite_server.url}"
        in run(
            sqlite_server, "show", "night", "--url", sqlite_server.url, env={"COLUMNS": "60"}
        ).stdout.splitlines()
    )
    causes = json.loads(run(sqlite_server, "show", "night", "--json").stdout)
    assert causes["processes"]["nodes"][0]["causes"][1]["indices"] == "20,22-23"

    def chosen(*arguments: str) -> tuple[int, str, str]:
        return resubmit(sqlite_server, "night", *arguments, "--as", "slurm")

    assert chosen("fill it", "--exit-code", "74") == (0, "--array=20,22-23\n", "")
    assert (
        chosen("fill it", "--exit-code", "74", "--exit-code", "134")[1] == "--array=0-11,20,22-23\n"
    )
    assert chosen("fill it", "--message", "BAD_alloc")[1] == "--array=0-11\n"
    hosts = ("--host", "node3.example.org", "--host", "bad")
    assert chosen("fill it", *hosts)[1] == "--array=3,8,20,22-23\n"
    assert chosen("fill it", *hosts, "--exit-code", "134")[1] == "--array=3,8\n"
    solitary = "# merge, whose only job has no index\n"
    assert chosen("--host", "bad")[1] == f"# fill it\n--array=20,22-23\n{solitary}"
    assert chosen("--message", "No input")[1] == solitary
    code, out, told_none = chosen("merge", "--exit-code", "74")
    assert (code, out) == (1, "")
    assert told_none.endswith(
        "no job of “merge” of “night” is FAILED and has what was asked for.\n"
    )


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

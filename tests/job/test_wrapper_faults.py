"""Whatever fails in lamia-job itself, the program runs, and ends as it does unwrapped."""

from __future__ import annotations

import functools
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.harness import Server
from tests.support.job_side import (
    LAMIA_JOB,
    ROOT,
    job_environment,
    python_command,
    shell_command,
    stored_events,
)

PROGRAM = python_command("import os; os.write(1, b'out\\n'); os.write(2, b'err\\n'); os._exit(3)")


@pytest.mark.parametrize("options", [(), ("--progress-regex", "o(u)t")])
def test_few_descriptors(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Pipes, the job and all else that needs descriptors are left out where there are too few."""
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    for limit in range(5, 12):
        done = subprocess.run(
            [*LAMIA_JOB, "run", *options, "--", *PROGRAM],
            preexec_fn=functools.partial(
                resource.setrlimit, resource.RLIMIT_NOFILE, (limit, limit)
            ),
            env=environ,
            cwd=ROOT,
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (3, b"out\n"), (limit, done.stderr)
        assert b"err\n" in done.stderr, limit


def test_own_files_are_replaced(tmp_path: Path) -> None:
    """A lamia-job that can't load the rest of itself, once the program runs, waits for that."""
    shutil.copytree(ROOT / "lamia_gql" / "client", tmp_path / "lamia_gql" / "client")
    shutil.copy(ROOT / "lamia_gql" / "__init__.py", tmp_path / "lamia_gql")
    (tmp_path / "lamia_gql" / "client" / "job.py").write_text("half of a li")
    done = subprocess.run(
        [*LAMIA_JOB, "run", "--", *shell_command("sleep 0.2; echo out; echo err >&2; kill -9 $$")],
        env=job_environment("http://127.0.0.1:1", tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (-9, "out\n")
    # A busy machine may be longer at the first than the program.
    error, warning = sorted(done.stderr.splitlines())
    assert warning.startswith("lamia-job: Nothing will be sent: SyntaxError(")
    assert error == "err"


def test_daemon_whose_output_nobody_can_copy(sqlite_server: Server, tmp_path: Path) -> None:
    """If there is no Python any more at the program's end, the job ends with its exit code."""
    sqlite_server.create("t", {"name": "p"})
    python = tmp_path / "python"
    python.symlink_to(os.path.realpath(sys.executable))
    done = subprocess.run(
        [
            *(str(python), "-m", "lamia_gql.client", "run", "--"),
            *shell_command(f"rm {python}; sleep 60 >/dev/null & echo $! >&2; exit 4"),
        ],
        env=job_environment(sqlite_server.url, tmp_path),
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    os.kill(int(done.stderr), 9)
    assert done.returncode == 4
    assert [event["eventClass"] for event in stored_events(sqlite_server)] == ["STARTED", "FAILED"]


def test_message_that_can_not_be_printed(sqlite_server: Server, tmp_path: Path) -> None:
    """A program that is not there is reported also if it has an odd name, or stderr is full."""
    sqlite_server.create("t", {"name": "p"})
    command = [*LAMIA_JOB, "run", "--", os.fsdecode(b"no-\xff-program")]
    with Path("/dev/full").open("wb") as full:
        for stderr in (subprocess.PIPE, full):
            done = subprocess.run(
                command,
                env=job_environment(sqlite_server.url, tmp_path),
                cwd=ROOT,
                stderr=stderr,
                check=False,
            )
            assert done.returncode == 127
            if done.stderr is not None:
                assert done.stderr == b"lamia-job: no-?-program: No such file or directory\n"
    found = [event["eventClass"] for event in stored_events(sqlite_server)]
    assert found == ["STARTED", "FAILED"] * 2

"""On a Python that is too old for it, lamia-job.pyz runs the program as if it were not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamia_gql.client import launcher
from lamia_gql.client.__main__ import main
from lamia_gql.client.wrapper import Wrapper
from tests.support.job_side import ROOT, build_pyz, job_environment

LAUNCHER = ROOT / "lamia_gql" / "client" / "launcher.py"
PRETENDED = """
import runpy, sys
sys.version_info = (3, 6, 15)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs a file as if this Python were an old one."""


def old_pythons() -> dict[str, list[str]]:
    """The old Pythons of this machine, and one that pretends to be old, as commands."""
    found = {"pretended": [sys.executable, "-c", PRETENDED]}
    for version in ("2.7", "3.6", "3.7", "3.8"):
        for path in Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"):
            found[version] = [str(path)]
    return found


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The single file, as it is built for nodes."""
    return build_pyz(tmp_path_factory.mktemp("pyz"))


@pytest.fixture(params=old_pythons().values(), ids=list(old_pythons()))
def old_job(request: pytest.FixtureRequest, pyz: Path) -> list[str]:
    """The command that runs the single file on an old Python."""
    python: list[str] = request.param
    return [*python, str(pyz)]


def run(
    old_job: list[str], *arguments: str, environ: Mapping[str, str] | None = None
) -> tuple[int, bytes, list[str]]:
    """Run it to its end: exit code, stdout, and the lines of stderr."""
    done = subprocess.run([*old_job, *arguments], env=environ, capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr.decode().splitlines()


def test_it_parses_on_every_python() -> None:
    """The file that is run first uses nothing that a Python from 2.7 on lacks."""
    vermin = str(Path(sys.executable).with_name("vermin"))
    command = [vermin, "--no-tips", "--violations", "-t=2.7-", "-t=3.0-"]
    done = subprocess.run([*command, str(LAUNCHER)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_program_is_untouched(old_job: list[str], tmp_path: Path) -> None:
    """Its exit code, its bytes, its environment and its stdin are what they are without us."""
    environ = {"PATH": os.environ["PATH"], "LC_ALL": "", "LANG": "C", "ODD%%": "\udcff"}
    script = "cat; env; printf '\\377'; exit 3"
    program = ["sh", "-c", script]
    given = [b"in\n", os.fsencode(tmp_path)]

    def outcome(*command: str) -> tuple[int, list[bytes], bytes]:
        done = subprocess.run(
            command, input=b"".join(given), env=environ, capture_output=True, check=False
        )
        # The shell sets it, to the path by which it was called.
        lines = [line for line in done.stdout.splitlines() if not line.startswith(b"_=")]
        return done.returncode, lines, done.stderr

    alone = outcome(*program)
    assert (alone[0], alone[2]) == (3, b"")
    code, lines, told = outcome(
        *old_job, "run", "--beat", "5", "--stop-when-enough", "--", *program
    )
    assert (code, lines) == alone[:2]
    assert told.count(b"\n") == 1
    assert b"needs Python 3.9 or newer" in told
    assert b"the program runs, but nothing is reported" in told


def test_it_gets_signals_itself(old_job: list[str]) -> None:
    """A signal goes to the program, which has the place of lamia-job, and kills it."""
    script = (
        "trap 'echo told; trap - TERM; kill -TERM $$' TERM; echo on; while :; do sleep 0.05; done"
    )
    with subprocess.Popen(
        [*old_job, "run", "--", "sh", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"on\n"
        program.send_signal(signal.SIGTERM)
        assert program.stdout.read() == b"told\n"
        assert program.wait(30) == -signal.SIGTERM


def test_a_reader_that_leaves_ends_it(old_job: list[str]) -> None:
    """The program dies of SIGPIPE where it would; Python itself ignores this signal."""
    with subprocess.Popen(
        [*old_job, "run", "yes"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"y\n"
        program.stdout.close()
        assert program.wait(30) == -signal.SIGPIPE


def test_programs_that_do_not_start(old_job: list[str], tmp_path: Path) -> None:
    """The exit codes are those of a shell; a script without a first line is run by one."""
    bare, locked = tmp_path / "bare", tmp_path / "locked"
    bare.write_text('echo "$0 $1"; exit 4')
    bare.chmod(0o755)
    locked.write_text("")
    locked.chmod(0o644)
    assert run(old_job, "run", "--", str(bare), "x")[:2] == (4, f"{bare} x\n".encode())
    environ = {"PATH": f"/nowhere:{tmp_path}:{os.environ['PATH']}"}
    assert run(old_job, "run", "bare", environ=environ)[:2] == (4, f"{bare} \n".encode())
    code, out, told = run(old_job, "run", "--", "no-such-program")
    assert (code, out, told[1:]) == (
        127,
        b"",
        ["lamia-job: no-such-program: No such file or directory"],
    )
    code, out, told = run(old_job, "run", "--", str(locked))
    assert (code, out, told[1:]) == (126, b"", [f"lamia-job: {locked}: Permission denied"])


def test_what_only_reports_can_not(old_job: list[str], tmp_path: Path) -> None:
    """`emit` does not fail a script; `flush` says that nothing was sent."""
    environ = job_environment("http://127.0.0.1:9", tmp_path)
    code, out, told = run(old_job, "emit", "DONE", environ=environ)
    assert (code, out, len(told)) == (0, b"", 1)
    assert "the event is not sent" in told[0]
    for arguments in (["flush"], ["--version"], ["run", "--beat", "3"], []):
        code, out, told = run(old_job, *arguments, environ=environ)
        assert (code, out, len(told)) == (1, b"", 1), arguments
        assert "needs Python 3.9 or newer, and this is " in told[0]


OPTIONS = st.sampled_from(
    [
        *(["--beat", "3"], ["--beat=3"], ["--stop-when-enough"], ["--stop"], ["--payload-tail=0"]),
        *(["--url", "http://h"], ["--task", "run"], ["--index", "none"], ["--spool=a b"]),
        *(["--process", "p"], ["--progress-regex", "x=y"], ["--progress", "tqdm"]),
    ]
)


@given(
    options=st.lists(OPTIONS, max_size=4),
    program=st.lists(st.sampled_from(["a", "--", "--beat", "run", "-x", "b=c"]), max_size=4),
)
def test_it_finds_the_program_that_lamia_job_would_run(
    options: list[list[str]], program: list[str]
) -> None:
    """The program in a command line is the same on any Python."""
    arguments = ["run", *(word for option in options for word in option), *program]
    commands: list[list[str]] = []

    def note(self: Wrapper) -> None:
        commands.append(self._command)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Wrapper, "run", note)
        try:
            main(arguments)
        except SystemExit:
            return  # the command line is not valid
    assert commands == [launcher.find_program(arguments)]

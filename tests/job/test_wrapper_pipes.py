"""Pipes and descriptors of a wrapped program are as they are unwrapped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lamia_gql.client.output import EXIT_DELAY_S, OutputPipe
from tests.job.test_wrapper import VARIANTS
from tests.support.job_side import (
    LAMIA_JOB,
    ROOT,
    FaultyServer,
    job_environment,
    python_command,
    shell_command,
    spooled_events,
)
from tests.support.unread import unread_bytes
from tests.support.waiting import until

PIPE_BYTES = 65536
"""What a pipe of Linux holds."""
WITHOUT_NULL = """
import os
os.devnull = "/nowhere/null"
from lamia_gql.client.__main__ import main
main()
"""
"""A lamia-job on a machine without /dev/null."""


@pytest.mark.parametrize("closing", ["", "<&-", "<&- >&-", ">&- 2>&-"])
def test_without_dev_null(tmp_path: Path, closing: str) -> None:
    """The program runs as it would, and all is reported."""
    program = "cat; echo 41 event; echo 42 event >&2; exit 3"
    with FaultyServer("good") as server:
        environ = job_environment(server.url, tmp_path) | {"WITHOUT_NULL": WITHOUT_NULL}
        run = f'"{sys.executable}" -c "$WITHOUT_NULL" run --progress-regex "([0-9]+) event" --'
        results = [
            subprocess.run(
                ["sh", "-c", f"{command} {closing}"],
                env=environ,
                cwd=ROOT,
                input=b"in\n",
                capture_output=True,
                check=False,
            )
            for command in (f"{run} sh -c '{program}'", f"sh -c '{program}'")
        ]
        sent = [event for _headers, batch in server.requests for event in batch]
    found = [(done.returncode, done.stdout, done.stderr) for done in results]
    assert found[0] == found[1]
    assert (sent[-1]["eventClass"], sent[-1]["exitCode"]) == ("FAILED", 3)
    if "2>&-" not in closing:
        assert sent[-2]["progress"] in (41, 42)


def test_order_between_stdout_and_stderr_is_kept(tmp_path: Path) -> None:
    """If stdout and stderr are the same file, the order of lines is kept."""
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    program = python_command(
        "import os\nfor i in range(5000): os.write(1 + i % 2, b'%d of %d\\n' % (i, 1 + i % 2))"
    )
    done = subprocess.run(
        [*LAMIA_JOB, "run", "--", *program],
        env=environ,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
    )
    assert done.stdout.splitlines() == [b"%d of %d" % (i, 1 + i % 2) for i in range(5000)]


@pytest.mark.parametrize("variant", VARIANTS)
def test_broken_pipe_reaches_the_program(tmp_path: Path, variant: str) -> None:
    """If the reader exits, program and wrapper die of SIGPIPE."""
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    script = (
        f"{' '.join(LAMIA_JOB)} run {' '.join(map(_quote, VARIANTS[variant]))} -- yes | head -n 1"
    )
    done = subprocess.run(
        ["bash", "-c", f"{script}; echo ${{PIPESTATUS[0]}}"],
        env=environ,
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == b"y\n141\n"
    assert done.stderr == b""


def _quote(text: str) -> str:
    return f"'{text}'"


def test_early_end_of_stdout_is_seen(tmp_path: Path) -> None:
    """A reader sees EOF as soon as the program closes its stdout."""
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    for options in VARIANTS.values():
        with subprocess.Popen(
            [*LAMIA_JOB, "run", *options, "--", *shell_command("echo a; exec >&-; sleep 60")],
            env=environ,
            cwd=ROOT,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            begin = time.monotonic()
            assert process.stdout.read() == b"a\n"
            assert time.monotonic() - begin < 20
            process.terminate()


@pytest.mark.parametrize(("script", "is_open"), [("true", True), ("exec 2>&-; sleep 60", False)])
def test_descriptor_of_a_program_that_ends_stays_ours(script: str, is_open: bool) -> None:
    """A descriptor closed by the program is closed; one closed by its exit stays ours.

    Also where nobody finds the time to wait for it.
    """
    near, far = os.pipe()
    pipe = OutputPipe((far,), ())
    pipe.start()
    program = subprocess.Popen(shell_command(script), stderr=pipe.write_end)
    pipe.close_write_end(program.pid)
    # It has ended, and there is nobody who has waited for it.
    time.sleep(3 * EXIT_DELAY_S)
    if not is_open:
        until(lambda: os.path.samestat(os.fstat(far), os.stat(os.devnull)), "the end")
    os.write(far, b"said")
    os.close(far)
    assert os.read(near, 10) == (b"said" if is_open else b"")
    program.kill()
    program.wait()
    pipe.finish(lambda: True)
    os.close(near)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_closed_descriptors_stay_closed(tmp_path: Path, closed: str, variant: str) -> None:
    """A program started without stdin, stdout or stderr gets no substitutes."""
    seen = tmp_path / "seen"
    program = f"""
import os
there = []
for number in (0, 1, 2):
    try:
        there.append((number, os.write(number, b"out")))
    except OSError as error:
        there.append((number, error.strerror))
open({str(seen)!r}, "w").write(repr(there))
os._exit(3)
"""
    environ = job_environment("http://127.0.0.1:1", tmp_path, SCRIPT=program)
    found = []
    for prefix in ("", f"{' '.join(LAMIA_JOB)} run {' '.join(map(_quote, VARIANTS[variant]))} -- "):
        done = subprocess.run(
            ["bash", "-c", f'{prefix}{sys.executable} -c "$SCRIPT" {closed}'],
            env=environ,
            cwd=ROOT,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        found.append((done.returncode, done.stdout, done.stderr, seen.read_text()))
    assert found[0] == found[1]
    assert len(spooled_events(tmp_path)) == 2


def test_daemon_with_a_pipe_that_does_not_block(tmp_path: Path) -> None:
    """All that it writes arrives, also where somebody has made the pipe non-blocking."""
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    near, far = os.pipe()
    os.set_blocking(far, False)
    daemon = f"until [ -e {tmp_path}/go ]; do sleep 0.1; done; head -c 1000000 /dev/zero >&2"
    command = [*LAMIA_JOB, "run", "--", *shell_command(f"({daemon}) & exit 3")]
    done = subprocess.run(command, env=environ, cwd=ROOT, stderr=far, check=False)
    os.close(far)
    (tmp_path / "go").touch()
    with os.fdopen(near, "rb") as pipe:
        until(lambda: unread_bytes(pipe) == PIPE_BYTES, "a full pipe")
        assert len(pipe.read()) == 1_000_000
    assert done.returncode == 3


def test_inherited_descriptors_are_passed_on(tmp_path: Path) -> None:
    """Inherited descriptors are passed on to the program."""
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    read, write = os.pipe()
    program = python_command(f"import os; os.write({write}, b'through')")
    command = [*LAMIA_JOB, "run", "--", *program]
    subprocess.run(command, env=environ, cwd=ROOT, pass_fds=[write], check=True, timeout=60)
    os.close(write)
    assert os.read(read, 100) == b"through"
    os.close(read)


@pytest.mark.parametrize("target", ["2>/dev/full", ">/dev/full 2>&1"])
def test_messages_on_a_full_disk(tmp_path: Path, target: str) -> None:
    """A program that goes on without its messages does so here, too; what it said is reported."""
    environ = job_environment("http://127.0.0.1:1", tmp_path, LAMIA_INDEX="none")
    # The second line must not come before the first one could not be written.
    script = "echo one >&2; sleep 0.3; echo two >&2; exit 3"
    run = f"{' '.join(LAMIA_JOB)} run -- sh -c {_quote(script)} {target}"
    done = subprocess.run(["sh", "-c", run], env=environ, cwd=ROOT, check=False)
    assert done.returncode == 3
    end = next(e for e in spooled_events(tmp_path) if e["eventClass"] == "FAILED")
    assert end["message"] == "two"
    assert "Output is lost: No space left on device." in end["payload"]["warnings"]


def test_a_daemon_with_messages_on_a_full_disk(tmp_path: Path) -> None:
    """One that the program leaves behind goes on as well."""
    environ = job_environment("http://127.0.0.1:1", tmp_path, LAMIA_INDEX="none")
    # The second line must not come before the first one could not be written.
    daemon = (
        "until [ -e ended ]; do sleep 0.05; done; echo one >&2; sleep 0.3; echo two >&2; >survived"
    )
    command = [*LAMIA_JOB, "run", "--", "sh", "-c", f"cd {tmp_path}; ({daemon}) & exit 0"]
    with open("/dev/full", "wb") as full:
        subprocess.run(command, env=environ, cwd=ROOT, stderr=full, timeout=60, check=True)
    (tmp_path / "ended").touch()
    until((tmp_path / "survived").exists, "the daemon's end")


def test_results_on_a_full_disk(tmp_path: Path) -> None:
    """Output that may be results does not vanish: the program gets a broken pipe."""
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    command = [*LAMIA_JOB, "run", "--progress-regex", "y", "--", "yes"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, env=environ, cwd=ROOT, stdout=full, timeout=60, check=False)
    assert done.returncode == -signal.SIGPIPE

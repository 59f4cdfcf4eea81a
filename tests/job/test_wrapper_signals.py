"""Signals to a wrapped program, and its end by ``--stop-when-enough``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.harness import Server
from tests.support.job_side import (
    LAMIA_JOB,
    ROOT,
    job_environment,
    python_command,
    run_lamia_job,
    shell_command,
    stored_event_classes,
    stored_events,
)
from tests.support.waiting import until

LOOP = "while :; do sleep 0.05; done"


def running_programs() -> list[bytes]:
    """The command lines of all processes of this machine."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        # It may have ended.
        with suppress(OSError):
            found.append(file.read_bytes().replace(b"\0", b" ").strip())
    return found


@pytest.mark.slow
def test_enough_kills_a_program_that_ignores_sigterm(sqlite_server: Server, tmp_path: Path) -> None:
    """A program that ignores SIGTERM is killed after the grace period."""
    sqlite_server.create("t", {"name": "p", "jobCount": 2, "threshold": 1})
    sqlite_server.submit("t", "p", "DONE", index=0)
    environ = job_environment(sqlite_server.url, tmp_path, LAMIA_INDEX=1)
    begin = time.monotonic()
    done = run_lamia_job(
        environ, "run", "--stop-when-enough", "--", *shell_command(f"trap '' TERM; {LOOP}")
    )
    assert done.returncode == -signal.SIGKILL
    assert 25 < time.monotonic() - begin < 60
    assert stored_event_classes(sqlite_server)[-1] == "TERMINATED"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGQUIT"])
def test_stopped_by_the_batch_system(sqlite_server: Server, tmp_path: Path, name: str) -> None:
    """A signal is passed on; a program that ends after it is TERMINATED, whatever its exit code."""
    sqlite_server.create("t", {"name": "p"})
    environ = job_environment(sqlite_server.url, tmp_path)
    number = signal.Signals[name]
    ends = {
        "echo up >&2; exec sleep 60": -number,
        f"trap 'exit 0' {number.value}; echo up >&2; {LOOP}": 0,
    }
    for script, code in ends.items():
        process = subprocess.Popen(
            [*LAMIA_JOB, "run", "--", *shell_command(script)],
            env=environ,
            cwd=ROOT,
            stderr=subprocess.PIPE,
            # What a script starts in the background ignores some signals.
            preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
        )
        assert process.stderr is not None
        assert process.stderr.readline() == b"up\n"
        process.send_signal(number)
        assert process.wait(30) == code
        process.stderr.close()
    assert stored_event_classes(sqlite_server) == ["STARTED", "TERMINATED"] * 2
    assert stored_events(sqlite_server)[-1]["payload"]["stoppedBy"] == name


def test_slow_reader_gets_all_of_a_stopped_program(tmp_path: Path) -> None:
    """Output after SIGTERM is not truncated, even if its reader is slow."""
    program = python_command(
        "import os, signal, sys\n"
        "def end(*_):\n os.write(1, b'x' * 200_000)\n os._exit(3)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "os.write(2, b'up\\n')\n"
        "signal.pause()"
    )
    process = subprocess.Popen(
        [*LAMIA_JOB, "run", "--progress-regex", "y", "--", *program],
        env=job_environment("http://127.0.0.1:1", tmp_path),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == b"up\n"
    process.terminate()
    # The reader is slow.
    time.sleep(0.5)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (3, b"x" * 200_000)


def test_sigusr1_is_passed_on(sqlite_server: Server, tmp_path: Path) -> None:
    """SIGUSR1 is passed on; a program that handles it and ends well is DONE."""
    sqlite_server.create("t", {"name": "p"})
    process = subprocess.Popen(
        [*LAMIA_JOB, "run", "--", *shell_command(f"trap 'exit 0' USR1; echo up >&2; {LOOP}")],
        env=job_environment(sqlite_server.url, tmp_path),
        cwd=ROOT,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == b"up\n"
    process.send_signal(signal.SIGUSR1)
    assert process.wait(30) == 0
    process.stderr.close()
    assert stored_event_classes(sqlite_server) == ["STARTED", "DONE"]


def test_any_signal_is_for_the_program(sqlite_server: Server, tmp_path: Path) -> None:
    """The program gets whatever a batch system may send, and is not left alone by it."""
    sqlite_server.create("t", {"name": "p"})
    environ = job_environment(sqlite_server.url, tmp_path)
    numbers = [signal.SIGALRM, signal.SIGURG, signal.SIGPROF, signal.SIGIO, signal.SIGABRT, 40]
    program = python_command(
        f"import os, signal\nnumbers = {[int(number) for number in numbers]}\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, numbers)\n"
        "os.write(2, b'up\\n')\n"
        "for _ in numbers: os.write(2, b'%d\\n' % signal.sigwait(numbers))"
    )
    with subprocess.Popen(
        [*LAMIA_JOB, "run", "--", *program], env=environ, cwd=ROOT, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"up\n"
        for number in numbers:
            process.send_signal(number)
            assert process.stderr.readline() == b"%d\n" % number
        assert process.wait(30) == 0
    with subprocess.Popen(
        [*LAMIA_JOB, "run", "--", *shell_command("echo up >&2; exec sleep 60")],
        env=environ,
        cwd=ROOT,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"up\n"
        process.send_signal(40)
        assert process.wait(30) == -40
    assert stored_event_classes(sqlite_server) == ["STARTED", "DONE", "STARTED", "TERMINATED"]
    assert stored_events(sqlite_server)[-1]["payload"]["stoppedBy"] == "SIG40"


@pytest.mark.parametrize(
    ("environ", "end"),
    [({}, "DONE"), ({"JOB_ID": 9, "SGE_TASK_ID": "undefined"}, "TERMINATED")],
    ids=["elsewhere", "Grid Engine"],
)
def test_notice_of_grid_engine(
    sqlite_server: Server, tmp_path: Path, environ: dict[str, Any], end: str
) -> None:
    """SIGUSR2 in a job of Grid Engine says that SIGKILL follows; elsewhere, it says nothing."""
    sqlite_server.create("t", {"name": "p"})
    script = f"trap 'exit 0' USR2; echo up >&2; {LOOP}"
    process = subprocess.Popen(
        [*LAMIA_JOB, "run", "--", *shell_command(script)],
        env=job_environment(sqlite_server.url, tmp_path, **environ),
        cwd=ROOT,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == b"up\n"
    until(lambda: stored_event_classes(sqlite_server) == ["STARTED"], "STARTED")
    process.send_signal(signal.SIGUSR2)
    assert process.wait(30) == 0
    process.stderr.close()
    assert stored_event_classes(sqlite_server) == ["STARTED", end]


def test_terminated_is_sent_before_the_batch_system_kills(
    sqlite_server: Server, tmp_path: Path
) -> None:
    """TERMINATED is sent while the program ignores SIGTERM, before the group is killed."""
    sqlite_server.create("t", {"name": "p"})
    process = subprocess.Popen(
        [*LAMIA_JOB, "run", "--", *shell_command(f"trap '' TERM; echo up >&2; {LOOP}")],
        env=job_environment(sqlite_server.url, tmp_path),
        cwd=ROOT,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == b"up\n"
    process.terminate()
    until(lambda: "TERMINATED" in stored_event_classes(sqlite_server), "TERMINATED")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stderr.close()


@pytest.mark.parametrize(
    "script",
    [
        "{sleep} & {sleep}; echo never",
        "n=0; while [ $n -lt 500 ]; do {sleep} & n=$((n + 1)); done; wait; echo never",
    ],
    ids=["a few", "many at that moment"],
)
def test_enough_ends_the_program_and_what_it_has_started(
    sqlite_server: Server, tmp_path: Path, script: str
) -> None:
    """`enough` ends the shell and all its children; the job is TERMINATED."""
    sqlite_server.create("t", {"name": "p", "jobCount": 2, "threshold": 1})
    sqlite_server.submit("t", "p", "DONE", index=0)
    environ = job_environment(sqlite_server.url, tmp_path, LAMIA_INDEX=1)
    sleep = unique_sleep()
    program = shell_command(script.format(sleep=sleep))
    done = run_lamia_job(environ, "run", "--stop-when-enough", "--", *program)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, b"")
    assert stored_event_classes(sqlite_server)[-1] == "TERMINATED"
    until(lambda: sleep.encode() not in running_programs(), "the ends of all")


BUSY = """
import os, signal, time
kill, pids = os.kill, []
def kill_at_once(pid, number):
    pids.append(pid)
    kill(pid, number)
    if (pid, number) == (pids[0], signal.SIGTERM):
        kill(pid, signal.SIGKILL)
        time.sleep(0.5)
os.kill = kill_at_once
from lamia_gql.client.__main__ import main
main()
"""
"""A lamia-job whose program dies of SIGTERM although it is stopped, as before it has run again."""


def test_nobody_stays_stopped(sqlite_server: Server, tmp_path: Path) -> None:
    """Also if the program ends while its descendants are still stopped."""
    sqlite_server.create("t", {"name": "p", "jobCount": 2, "threshold": 1})
    sqlite_server.submit("t", "p", "DONE", index=0)
    environ = job_environment(sqlite_server.url, tmp_path, LAMIA_INDEX=1)
    sleep = unique_sleep()
    command = [sys.executable, "-c", BUSY, "run", "--stop-when-enough", "--"]
    done = subprocess.run(
        [*command, *shell_command(f"{sleep} & {sleep} & wait")], env=environ, cwd=ROOT, check=False
    )
    assert done.returncode == -signal.SIGKILL
    until(lambda: sleep.encode() not in running_programs(), "the ends of all")


def unique_sleep() -> str:
    """A program that sleeps for a minute, and that nobody else runs on this machine."""
    return f"sleep 61.{time.time_ns()}"

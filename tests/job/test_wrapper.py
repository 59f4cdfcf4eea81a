"""A wrapped program behaves as it does unwrapped: exit code, output, descriptors, environment."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.harness import Server
from tests.support.job_side import (
    LAMIA_JOB,
    ROOT,
    FaultyServer,
    job_environment,
    python_command,
    run_lamia_job,
    shell_command,
    spooled_events,
    stored_event_classes,
    stored_events,
)

PROGRAMS: dict[str, tuple[Any, bytes]] = {
    "nothing": (["true"], b""),
    "fails": (["false"], b""),
    "exit 3": (shell_command("exit 3"), b""),
    "exit 255": (shell_command("exit 255"), b""),
    "binary output": (
        python_command(
            "import os; os.write(1, bytes(range(256)) * 4000); os.write(2, b'\\xff\\0')"
        ),
        b"",
    ),
    "no newline": (shell_command("printf abc; printf def >&2"), b""),
    "one long line": (shell_command("head -c 3000000 /dev/zero | tr '\\0' x"), b""),
    "carriage returns": (shell_command("printf '1%%\\r2%%\\r3%%\\r'"), b""),
    "SIGKILL": (shell_command("echo before; kill -KILL $$"), b""),
    "SIGSEGV": (shell_command("kill -SEGV $$"), b""),
    "SIGTERM": (shell_command("kill -TERM $$"), b""),
    "SIGPIPE": (shell_command("kill -PIPE $$"), b""),
    "SIGINT": (shell_command("kill -INT $$"), b""),
    "SIGUSR1": (shell_command("kill -USR1 $$"), b""),
    "a real-time signal": (shell_command("kill -40 $$"), b""),
    "reads stdin": (["cat"], bytes(range(256)) * 4000),
    "ignores stdin": (["true"], b"x" * 1_000_000),
    "half of stdin": (["head", "-c", "10"], b"x" * 1_000_000),
    "children": (
        shell_command("(for i in 1 2 3; do (echo $i) & done; wait) | sort; echo end"),
        b"",
    ),
    "a daemon": (shell_command("(sleep 0.7; echo late; echo late >&2) & echo early; exit 4"), b""),
    "huge stderr": (shell_command("head -c 5000000 /dev/zero >&2; exit 1"), b""),
    "closes stdout": (shell_command("echo a; exec >&-; sleep 0.3; echo b >&2; exit 2"), b""),
    "closes all": (shell_command("exec <&- >&- 2>&-; sleep 0.1; exit 5"), b""),
    "pipes inside": (shell_command("yes | head -n 1; cat /dev/null"), b""),
    "a traceback": (python_command("raise ValueError('ü')"), b""),
    "environment": (
        shell_command(
            "env | grep -v -e ^_= -e ^LAMIA_ -e ^PYTEST | sort; umask; ulimit -a; trap; pwd"
        ),
        b"",
    ),
    "descriptors": (python_command("import os; print(sorted(os.listdir('/proc/self/fd')))"), b""),
    "ignored signals": (shell_command("grep ^Sig[BI] /proc/self/status"), b""),
}
VARIANTS = {
    "as it is": (),
    "regex": ("--progress-regex", r"event (\d+)"),
    "no pipes": ("--payload-tail", "0"),
}


def observe(command: list[str], environ: dict[str, str], stdin: bytes) -> tuple[int, bytes, bytes]:
    """Exit code, stdout and stderr of a program."""
    done = subprocess.run(
        command, input=stdin, capture_output=True, env=environ, cwd=ROOT, timeout=100, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def unwrapped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, bytes, bytes]]:
    """The results of the programs without the wrapper, in the same environment."""
    environ = job_environment("http://127.0.0.1:1", tmp_path_factory.mktemp("unwrapped"))
    return {
        name: observe(list(command), environ, stdin) for name, (command, stdin) in PROGRAMS.items()
    }


def assert_same(
    url: str, folder: Path, unwrapped: dict[str, tuple[int, bytes, bytes]], *options: str
) -> None:
    """All programs are the same wrapped and unwrapped."""
    environ = job_environment(url, folder, LAMIA_INDEX="none")

    def run(name: str) -> tuple[str, tuple[int, bytes, bytes]]:
        command, stdin = PROGRAMS[name]
        return name, observe([*LAMIA_JOB, "run", *options, "--", *command], environ, stdin)

    # All at once: where the server hangs, each waits for it at its end.
    with ThreadPoolExecutor(len(PROGRAMS)) as pool:
        for name, seen in pool.map(run, PROGRAMS):
            assert seen == unwrapped[name], name


@pytest.mark.parametrize("variant", VARIANTS)
def test_wrapped_is_unwrapped_with_a_server(
    sqlite_server: Server,
    tmp_path: Path,
    unwrapped: dict[str, tuple[int, bytes, bytes]],
    variant: str,
) -> None:
    """Exit codes and outputs are the same, byte for byte, and all events arrive."""
    sqlite_server.create("t", {"name": "p"})
    assert_same(sqlite_server.url, tmp_path, unwrapped, *VARIANTS[variant])
    # On a busy machine an answer may have come too late.
    run_lamia_job(job_environment(sqlite_server.url, tmp_path), "flush")
    assert spooled_events(tmp_path) == []
    found = stored_event_classes(sqlite_server)
    assert found.count("STARTED") == len(PROGRAMS)
    assert sum(found.count(end) for end in ("DONE", "FAILED", "TERMINATED")) == len(PROGRAMS)


SELDOM = [
    pytest.param(mode, marks=pytest.mark.slow)
    for mode in ("500", "401", "drip", "403", "404", "cut", "garbage", "vanish")
]
"""What a job does then is shown by ``test_delivery.py`` as well, though not for each program."""


@pytest.mark.parametrize("mode", ["down", "hang", *SELDOM])
def test_wrapped_is_unwrapped_whatever_the_server_does(
    tmp_path: Path, unwrapped: dict[str, tuple[int, bytes, bytes]], mode: str
) -> None:
    """Exit codes and outputs are the same, byte for byte; unsent events are spooled."""
    with FaultyServer("good" if mode == "down" else mode) as bad:
        url = "http://127.0.0.1:1" if mode == "down" else bad.url
        assert_same(url, tmp_path, unwrapped)
    kept = spooled_events(tmp_path)
    ends = [event for event in kept if event["eventClass"] in ("DONE", "FAILED", "TERMINATED")]
    if mode == "vanish":
        assert len(kept) >= 2 * len(PROGRAMS) - 2
    else:
        assert len(ends) == len(PROGRAMS)
    assert len({event["id"] for event in kept}) == len(kept)


def test_c_locale_stays_as_it_is(tmp_path: Path) -> None:
    """Python's coercion of the C locale does not reach the program."""
    environ = job_environment("http://127.0.0.1:1", tmp_path, LANG="C", LC_CTYPE="C", LC_ALL="")
    for name in ("LC_ALL", "LC_CTYPE"):
        del environ[name]
        done = run_lamia_job(
            environ, "run", "--", *shell_command("env | grep ^L[AC][N_][GCA] | sort")
        )
        expected = "".join(f"{n}={v}\n" for n, v in sorted(environ.items()) if re.match(LOCALE, n))
        assert done.stdout.decode() == expected


LOCALE = "L[AC][N_][GCA]"


def test_ignored_children(tmp_path: Path) -> None:
    """The exit code is found, too, if the caller ignores SIGCHLD."""
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    script = f"trap '' CHLD; exec {' '.join(LAMIA_JOB)} run -- sh -c 'exit 3'"
    done = subprocess.run(["bash", "-c", script], env=environ, cwd=ROOT, check=False)
    assert done.returncode == 3


def test_arguments_after_dashes_are_passed_on(tmp_path: Path) -> None:
    """Arguments after the first `--` are passed on unchanged."""
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    for command in (["run", "--"], ["run"]):
        done = run_lamia_job(environ, *command, "echo", "a", "--", "--beat", "-x", "--", "")
        assert done.stdout == b"a -- --beat -x -- \n"


def test_program_that_is_not_there(sqlite_server: Server, tmp_path: Path) -> None:
    """As in a shell, the code is 127, or 126 if not executable, and the job has FAILED."""
    sqlite_server.create("t", {"name": "p"})
    environ = job_environment(sqlite_server.url, tmp_path)
    assert run_lamia_job(environ, "run", "--", "no-such-program").returncode == 127
    assert run_lamia_job(environ, "run", "--", "/").returncode == 126
    assert stored_event_classes(sqlite_server) == ["STARTED", "FAILED"] * 2


def test_events_of_a_failure(sqlite_server: Server, tmp_path: Path) -> None:
    """A FAILED event has the exit code, the last lines of stderr, and the resource usage."""
    sqlite_server.create("t", {"name": "p", "beatInterval": 1})
    environ = job_environment(sqlite_server.url, tmp_path)
    script = "for i in $(seq 100); do echo line $i >&2; done; sleep 1.2; exit 7"
    run_lamia_job(
        environ, "run", "--beat", "0.3", "--payload-tail", "3", "--", *shell_command(script)
    )
    found = sorted(stored_events(sqlite_server), key=lambda event: str(event["sentAt"]))
    assert found[0]["eventClass"] == "STARTED"
    assert found[-1]["eventClass"] == "FAILED"
    assert found[-1]["payload"]["exitCode"] == 7
    assert found[-1]["payload"]["stderr"] == ["line 98", "line 99", "line 100"]
    assert found[-1]["payload"]["usage"]["maxRssBytes"] > 0
    beats = [event for event in found if event["eventClass"] == "BEAT"]
    assert len(beats) >= 2
    if sys.platform == "linux":
        assert beats[0]["payload"]["usage"]["rssBytes"] > 0
        assert beats[0]["payload"]["usage"]["processes"] == 2


def test_progress_from_output(sqlite_server: Server, tmp_path: Path) -> None:
    """Numbers in lines or progress bars are sent as progress, the last one always."""
    sqlite_server.create("t", {"name": "p"}, {"name": "bar"})
    lines = "for i in 10 20 30; do echo event $i of 100; sleep 1.2; done; printf 'event 99'"
    bar = "for i in 1 2 3; do printf '%s%%\\r' $i >&2; sleep 1.2; done"

    def run(process: str, pattern: str, script: str) -> None:
        environ = job_environment(sqlite_server.url, tmp_path, process=process)
        run_lamia_job(
            environ, "run", "--beat", "5", "--progress-regex", pattern, "--", *shell_command(script)
        )

    with ThreadPoolExecutor() as pool:
        for _ in pool.map(run, ("p", "bar"), (r"event (\d+)", r"[\d.]+(?=%)"), (lines, bar)):
            pass
    told: dict[str, list[float]] = {"p": [], "bar": []}
    for event in sorted(stored_events(sqlite_server), key=lambda event: str(event["sentAt"])):
        if event["eventClass"] == "PROGRESS":
            told[event["process"]["name"]].append(event["progress"])
    assert told["p"][-1] == 99
    assert len(told["p"]) >= 3
    assert told["bar"][-1] == 3
    assert sorted(told["bar"]) == told["bar"]


def test_script_without_a_shebang(tmp_path: Path) -> None:
    """A script without a shebang is run by a shell, by path or found in PATH."""
    script = tmp_path / "no-such-name"
    script.write_text("echo $0 $1; exit 4\n")
    script.chmod(0o755)
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    environ["PATH"] = f"{tmp_path}:{environ['PATH']}"
    for name in (str(script), script.name):
        done = run_lamia_job(environ, "run", "--", name, "a b")
        assert (done.returncode, done.stdout) == (4, f"{script} a b\n".encode())


def test_without_an_address_the_program_runs_all_the_same(tmp_path: Path) -> None:
    """A missing address is reported in one line, and the program runs."""
    environ = job_environment("", tmp_path)
    done = run_lamia_job(environ, "run", "--", *shell_command("echo out; exit 3"))
    assert (done.returncode, done.stdout) == (3, b"out\n")
    assert done.stderr == b"lamia-job: LAMIA_URL is not set. Nothing will be sent.\n"

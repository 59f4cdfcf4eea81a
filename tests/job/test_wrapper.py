"""A wrapped program is the program, to whoever waits for it and to whoever reads its output."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lamia_gql.client.output import EXIT_DELAY_S, OutputPipe
from tests.support.harness import Server
from tests.support.job_side import (
    JOB,
    ROOT,
    BadServer,
    classes,
    events,
    job,
    job_environment,
    shell,
    spooled,
)
from tests.support.waiting import until


def python(source: str) -> list[str]:
    """A program in Python."""
    return [sys.executable, "-c", source]


PROGRAMS: dict[str, tuple[Any, bytes]] = {
    "nothing": (["true"], b""),
    "fails": (["false"], b""),
    "exit 3": (shell("exit 3"), b""),
    "exit 255": (shell("exit 255"), b""),
    "binary output": (
        python("import os; os.write(1, bytes(range(256)) * 4000); os.write(2, b'\\xff\\0')"),
        b"",
    ),
    "no newline": (shell("printf abc; printf def >&2"), b""),
    "one long line": (shell("head -c 3000000 /dev/zero | tr '\\0' x"), b""),
    "carriage returns": (shell("printf '1%%\\r2%%\\r3%%\\r'"), b""),
    "SIGKILL": (shell("echo before; kill -KILL $$"), b""),
    "SIGSEGV": (shell("kill -SEGV $$"), b""),
    "SIGTERM": (shell("kill -TERM $$"), b""),
    "SIGPIPE": (shell("kill -PIPE $$"), b""),
    "SIGINT": (shell("kill -INT $$"), b""),
    "SIGUSR1": (shell("kill -USR1 $$"), b""),
    "a real-time signal": (shell("kill -40 $$"), b""),
    "reads stdin": (["cat"], bytes(range(256)) * 4000),
    "ignores stdin": (["true"], b"x" * 1_000_000),
    "half of stdin": (["head", "-c", "10"], b"x" * 1_000_000),
    "children": (shell("(for i in 1 2 3; do (echo $i) & done; wait) | sort; echo end"), b""),
    "a daemon": (shell("(sleep 0.7; echo late; echo late >&2) & echo early; exit 4"), b""),
    "huge stderr": (shell("head -c 5000000 /dev/zero >&2; exit 1"), b""),
    "closes stdout": (shell("echo a; exec >&-; sleep 0.3; echo b >&2; exit 2"), b""),
    "closes all": (shell("exec <&- >&- 2>&-; sleep 0.1; exit 5"), b""),
    "pipes inside": (shell("yes | head -n 1; cat /dev/null"), b""),
    "a traceback": (python("raise ValueError('ü')"), b""),
    "environment": (
        shell("env | grep -v -e ^_= -e ^LAMIA_ -e ^PYTEST | sort; umask; ulimit -a; trap; pwd"),
        b"",
    ),
    "descriptors": (python("import os; print(sorted(os.listdir('/proc/self/fd')))"), b""),
    "ignored signals": (shell("grep ^Sig[BI] /proc/self/status"), b""),
}
VARIANTS = {
    "as it is": (),
    "regex": ("--progress-regex", r"event (\d+)"),
    "no pipes": ("--payload-tail", "0"),
}


def observe(command: list[str], environ: dict[str, str], stdin: bytes) -> tuple[int, bytes, bytes]:
    """All that somebody outside sees of a program."""
    done = subprocess.run(
        command, input=stdin, capture_output=True, env=environ, cwd=ROOT, timeout=100, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def unwrapped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, bytes, bytes]]:
    """What the programs are by themselves, in an environment like that of the wrapped ones."""
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
        return name, observe([*JOB, "run", *options, "--", *command], environ, stdin)

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
    job(job_environment(sqlite_server.url, tmp_path), "flush")
    assert spooled(tmp_path) == []
    found = classes(sqlite_server)
    assert found.count("STARTED") == len(PROGRAMS)
    assert sum(found.count(end) for end in ("DONE", "FAILED", "TERMINATED")) == len(PROGRAMS)


SELDOM = [pytest.param(mode, marks=pytest.mark.slow) for mode in ("drip", "403", "404", "cut")]


@pytest.mark.parametrize("mode", ["down", "hang", "500", "401", "garbage", "vanish", *SELDOM])
def test_wrapped_is_unwrapped_whatever_the_server_does(
    tmp_path: Path, unwrapped: dict[str, tuple[int, bytes, bytes]], mode: str
) -> None:
    """Exit codes and outputs are the same, byte for byte; what was not taken is in the spool."""
    with BadServer("good" if mode == "down" else mode) as bad:
        url = "http://127.0.0.1:1" if mode == "down" else bad.url
        assert_same(url, tmp_path, unwrapped)
    kept = spooled(tmp_path)
    ends = [event for event in kept if event["eventClass"] in ("DONE", "FAILED", "TERMINATED")]
    if mode == "vanish":
        assert len(kept) >= 2 * len(PROGRAMS) - 2
    else:
        assert len(ends) == len(PROGRAMS)
    assert len({event["id"] for event in kept}) == len(kept)


def test_order_between_stdout_and_stderr_is_kept(tmp_path: Path) -> None:
    """Where both go to one place, lines stay in the order in which they were written."""
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    program = python(
        "import os\nfor i in range(5000): os.write(1 + i % 2, b'%d of %d\\n' % (i, 1 + i % 2))"
    )
    done = subprocess.run(
        [*JOB, "run", "--", *program],
        env=environ,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
    )
    assert done.stdout.splitlines() == [b"%d of %d" % (i, 1 + i % 2) for i in range(5000)]


@pytest.mark.parametrize("variant", VARIANTS)
def test_broken_pipe_reaches_the_program(tmp_path: Path, variant: str) -> None:
    """Where the reader goes away the program dies of SIGPIPE, and so does the wrapper."""
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    script = f"{' '.join(JOB)} run {' '.join(map(_quote, VARIANTS[variant]))} -- yes | head -n 1"
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
    """Who reads a program that closes its stdout need not wait for the program's end."""
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    for options in VARIANTS.values():
        with subprocess.Popen(
            [*JOB, "run", *options, "--", *shell("echo a; exec >&-; sleep 60")],
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
    """What a program closes is closed, but by its end: then there may be something to say.

    Also where nobody finds the time to wait for it.
    """
    near, far = os.pipe()
    pipe = OutputPipe((far,), ())
    pipe.start()
    program = subprocess.Popen(shell(script), stderr=pipe.write_end)
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
    """A program that is started without stdin, stdout or stderr gets no others for it."""
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
    for prefix in ("", f"{' '.join(JOB)} run {' '.join(map(_quote, VARIANTS[variant]))} -- "):
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
    assert len(spooled(tmp_path)) == 2


def test_c_locale_stays_as_it_is(tmp_path: Path) -> None:
    """Python changes the C locale for itself, and not for the program."""
    environ = job_environment("http://127.0.0.1:1", tmp_path, LANG="C", LC_CTYPE="C", LC_ALL="")
    for name in ("LC_ALL", "LC_CTYPE"):
        del environ[name]
        done = job(environ, "run", "--", *shell("env | grep ^L[AC][N_][GCA] | sort"))
        expected = "".join(f"{n}={v}\n" for n, v in sorted(environ.items()) if re.match(LOCALE, n))
        assert done.stdout.decode() == expected


LOCALE = "L[AC][N_][GCA]"


def test_ignored_children(tmp_path: Path) -> None:
    """A caller that ignores its children's ends does not keep us from the program's."""
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    script = f"trap '' CHLD; exec {' '.join(JOB)} run -- sh -c 'exit 3'"
    done = subprocess.run(["bash", "-c", script], env=environ, cwd=ROOT, check=False)
    assert done.returncode == 3


def test_dashes_are_the_programs(tmp_path: Path) -> None:
    """What follows the first two dashes is the program's, whatever it is."""
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    for command in (["run", "--"], ["run"]):
        done = job(environ, *command, "echo", "a", "--", "--beat", "-x", "--", "")
        assert done.stdout == b"a -- --beat -x -- \n"


@pytest.mark.slow
def test_enough_and_a_program_that_does_not_listen(sqlite_server: Server, tmp_path: Path) -> None:
    """Who ignores SIGTERM is killed after a while."""
    sqlite_server.create("t", {"name": "p", "jobCount": 2, "threshold": 1})
    sqlite_server.submit("t", "p", "DONE", index=0)
    environ = job_environment(sqlite_server.url, tmp_path, LAMIA_INDEX=1)
    begin = time.monotonic()
    done = job(environ, "run", "--stop-when-enough", "--", *shell(f"trap '' TERM; {LOOP}"))
    assert done.returncode == -signal.SIGKILL
    assert 25 < time.monotonic() - begin < 60
    assert classes(sqlite_server)[-1] == "TERMINATED"


def test_inherited_descriptors_are_passed_on(tmp_path: Path) -> None:
    """What a caller has opened for the program, the program has."""
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    read, write = os.pipe()
    program = python(f"import os; os.write({write}, b'through')")
    command = [*JOB, "run", "--", *program]
    subprocess.run(command, env=environ, cwd=ROOT, pass_fds=[write], check=True, timeout=60)
    os.close(write)
    assert os.read(read, 100) == b"through"
    os.close(read)


def test_program_that_is_not_there(sqlite_server: Server, tmp_path: Path) -> None:
    """As in a shell it is 127, or 126 for what can't be run, and the job has FAILED."""
    sqlite_server.create("t", {"name": "p"})
    environ = job_environment(sqlite_server.url, tmp_path)
    assert job(environ, "run", "--", "no-such-program").returncode == 127
    assert job(environ, "run", "--", "/").returncode == 126
    assert classes(sqlite_server) == ["STARTED", "FAILED"] * 2


def test_events_of_a_failure(sqlite_server: Server, tmp_path: Path) -> None:
    """A failure tells of its exit code, the last lines of stderr, and what it has used."""
    sqlite_server.create("t", {"name": "p", "beatInterval": 1})
    environ = job_environment(sqlite_server.url, tmp_path)
    script = "for i in $(seq 100); do echo line $i >&2; done; sleep 1.2; exit 7"
    job(environ, "run", "--beat", "0.3", "--payload-tail", "3", "--", *shell(script))
    found = sorted(events(sqlite_server), key=lambda event: str(event["sentAt"]))
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
    """Numbers in lines, or in the stretches of a progress bar, are told; the last one always."""
    sqlite_server.create("t", {"name": "p"}, {"name": "bar"})
    lines = "for i in 10 20 30; do echo event $i of 100; sleep 1.2; done; printf 'event 99'"
    bar = "for i in 1 2 3; do printf '%s%%\\r' $i >&2; sleep 1.2; done"

    def run(process: str, pattern: str, script: str) -> None:
        environ = job_environment(sqlite_server.url, tmp_path, process=process)
        job(environ, "run", "--beat", "5", "--progress-regex", pattern, "--", *shell(script))

    with ThreadPoolExecutor() as pool:
        for _ in pool.map(run, ("p", "bar"), (r"event (\d+)", r"[\d.]+(?=%)"), (lines, bar)):
            pass
    told: dict[str, list[float]] = {"p": [], "bar": []}
    for event in sorted(events(sqlite_server), key=lambda event: str(event["sentAt"])):
        if event["eventClass"] == "PROGRESS":
            told[event["process"]["name"]].append(event["progress"])
    assert told["p"][-1] == 99
    assert len(told["p"]) >= 3
    assert told["bar"][-1] == 3
    assert sorted(told["bar"]) == told["bar"]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGQUIT"])
def test_stopped_by_the_batch_system(sqlite_server: Server, tmp_path: Path, name: str) -> None:
    """A signal is passed on; a program that ends by it is TERMINATED, however it ends."""
    sqlite_server.create("t", {"name": "p"})
    environ = job_environment(sqlite_server.url, tmp_path)
    number = signal.Signals[name]
    ends = {
        "echo up >&2; exec sleep 60": -number,
        f"trap 'exit 0' {number.value}; echo up >&2; {LOOP}": 0,
    }
    for script, code in ends.items():
        process = subprocess.Popen(
            [*JOB, "run", "--", *shell(script)],
            env=environ,
            cwd=ROOT,
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        assert process.stderr.readline() == b"up\n"
        process.send_signal(number)
        assert process.wait(30) == code
        process.stderr.close()
    assert classes(sqlite_server) == ["STARTED", "TERMINATED"] * 2
    assert events(sqlite_server)[-1]["payload"]["stoppedBy"] == name


LOOP = "while :; do sleep 0.05; done"


def test_script_that_does_not_say_what_runs_it(tmp_path: Path) -> None:
    """It is run by a shell, as a shell would run it: by its path, or found in PATH."""
    script = tmp_path / "no-such-name"
    script.write_text("echo $0 $1; exit 4\n")
    script.chmod(0o755)
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    environ["PATH"] = f"{tmp_path}:{environ['PATH']}"
    for name in (str(script), script.name):
        done = job(environ, "run", "--", name, "a b")
        assert (done.returncode, done.stdout) == (4, f"{script} a b\n".encode())


def test_slow_reader_gets_all_of_a_stopped_program(tmp_path: Path) -> None:
    """What a program says when it is asked to end is not cut off because its reader is slow."""
    program = python(
        "import os, signal, sys\n"
        "def end(*_):\n os.write(1, b'x' * 200_000)\n os._exit(3)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "os.write(2, b'up\\n')\n"
        "signal.pause()"
    )
    process = subprocess.Popen(
        [*JOB, "run", "--progress-regex", "y", "--", *program],
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


def test_signal_that_is_a_message(sqlite_server: Server, tmp_path: Path) -> None:
    """SIGUSR1 is passed on; a program that handles it and ends well is DONE."""
    sqlite_server.create("t", {"name": "p"})
    process = subprocess.Popen(
        [*JOB, "run", "--", *shell(f"trap 'exit 0' USR1; echo up >&2; {LOOP}")],
        env=job_environment(sqlite_server.url, tmp_path),
        cwd=ROOT,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == b"up\n"
    process.send_signal(signal.SIGUSR1)
    assert process.wait(30) == 0
    process.stderr.close()
    assert classes(sqlite_server) == ["STARTED", "DONE"]


def test_last_word_before_the_batch_system_kills(sqlite_server: Server, tmp_path: Path) -> None:
    """A program that does not end when it is asked to is told TERMINATED before all are killed."""
    sqlite_server.create("t", {"name": "p"})
    process = subprocess.Popen(
        [*JOB, "run", "--", *shell(f"trap '' TERM; echo up >&2; {LOOP}")],
        env=job_environment(sqlite_server.url, tmp_path),
        cwd=ROOT,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == b"up\n"
    process.terminate()
    until(lambda: "TERMINATED" in classes(sqlite_server), "TERMINATED")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stderr.close()


@pytest.mark.parametrize(
    "script",
    [
        "sleep 61.25 & sleep 61.25; echo never",
        "n=0; while [ $n -lt 500 ]; do sleep 61.25 & n=$((n + 1)); done; wait; echo never",
    ],
    ids=["a few", "many at that moment"],
)
def test_enough_ends_the_program_and_what_it_has_started(
    sqlite_server: Server, tmp_path: Path, script: str
) -> None:
    """An answer that says so ends the shell and what it runs; the job is TERMINATED."""
    sqlite_server.create("t", {"name": "p", "jobCount": 2, "threshold": 1})
    sqlite_server.submit("t", "p", "DONE", index=0)
    environ = job_environment(sqlite_server.url, tmp_path, LAMIA_INDEX=1)
    done = job(environ, "run", "--stop-when-enough", "--", *shell(script))
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, b"")
    assert classes(sqlite_server)[-1] == "TERMINATED"
    listed = subprocess.run(["ps", "ax"], capture_output=True, check=False).stdout
    assert re.search(rb"sleep 61\.25", listed) is None


def test_without_an_address_the_program_runs_all_the_same(tmp_path: Path) -> None:
    """What is missing is said in one line; the program does not mind."""
    environ = job_environment("", tmp_path)
    done = job(environ, "run", "--", *shell("echo out; exit 3"))
    assert (done.returncode, done.stdout) == (3, b"out\n")
    assert done.stderr == b"lamia-job: LAMIA_URL is not set. Nothing will be sent.\n"

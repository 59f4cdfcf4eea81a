"""The search for progress: in the ends of lines, and never in the way of the program."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lamia_gql.client import progress_scanner
from lamia_gql.client.progress_scanner import ProgressScanner
from lamia_gql.client.progress_search import (
    FOLLOWS_GAP,
    IS_LAST,
    MAX_LINE_BYTES,
    PRESETS,
    LineSearch,
)
from tests.support.job_side import (
    LAMIA_JOB,
    ROOT,
    FaultyServer,
    job_environment,
    python_command,
    run_lamia_job,
    spooled_events,
)
from tests.support.waiting import until

EVENT = rb"event (\d+)"
CATASTROPHE = r"(a+)+$"
FOOD = "a" * 40 + "b"
"""A line on which the search for it takes hours."""


@pytest.mark.parametrize(
    ("pattern", "blocks", "found"),
    [
        (EVENT, [b"event 1\nevent 2\nno"], 2),
        (EVENT, [b"event 2\n", b"no\n"], None),
        (EVENT, [b"event 1\rev", b"ent 23", b"4\r"], 234),
        (EVENT, [b"event 5"], None),
        (EVENT, [b"x" * 10_000 + b"event 7\n"], 7),
        (EVENT, [b"event 7" + b"x" * 10_000 + b"\n"], None),
        (EVENT, [b"x" * 3000, b"x" * 3000, b"event 8\n"], 8),
        # A number that is cut is none.
        (rb"\d+", [b"1" * 5000 + b"\n"], None),
        (rb"\d+", [b"1" * 3000, b"2" * 3000, b"3 7\n"], 7),
        (rb"^(\d+)$", [b"x\n12\ny\n"], 12),
        (rb"event (\d+)\n", [b"event 3\n"], 3),
        (rb"(\d+)?%", [b"3%\n%\n"], 3),
        (rb"-?\d+|nan|inf", [b"4\n-5\nnan\ninf\n"], 4),
    ],
)
def test_latest_number_in_lines(pattern: bytes, blocks: list[bytes], found: float | None) -> None:
    """The last one that is a number counts; of a long line only the end is searched."""
    search = LineSearch(pattern)
    values = [search.find(block) for block in blocks]
    assert values[-1] == found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (" 45%|████▌     | 45/100 [00:01<00:01, 40.0it/s]", 45),
        ("100%|##########| 3/3 [00:00<00:00, 34759.43it/s]", 100),
        ("epoch 5% |x:  67%|██████▋   | 2/3 [00:00<00:00, 67330.66it/s, loss=3%]", 67),
        (" 33% 1.02k/3.06k [00:00<00:00, 233016.89it/s]", 33),
        ("45it [00:01, 40.0it/s]", None),
        ("inner:  50%|█████     | 1/2 [00:00<00:00, 7973.96it/s]\x1b[A", None),
        ("disk 95% full", None),
        ("1000%|", None),
    ],
)
def test_bars_of_tqdm(line: str, found: float | None) -> None:
    """The percentage of the outermost bar is found, and no other number."""
    assert LineSearch(PRESETS["tqdm"].encode()).find(f"{line}\r".encode()) == found


TQDM = """
import time
from tqdm import tqdm, trange
for _ in trange(3, desc="outer", mininterval=0):
    for _ in tqdm(range(5), desc="inner", mininterval=0):
        time.sleep(0.12)
"""


def test_progress_of_a_program_with_tqdm(tmp_path: Path) -> None:
    """Only the outer bar of nested ones counts."""
    with FaultyServer("good") as server:
        environ = job_environment(server.url, tmp_path)
        options = ("run", "--beat", "5", "--progress", "tqdm", "--", *python_command(TQDM))
        done = run_lamia_job(environ, *options)
        assert b"outer: 100%|" in done.stderr
        sent = [event for _headers, batch in server.requests for event in batch]
    progress = [event["progress"] for event in sent if event["eventClass"] == "PROGRESS"]
    assert progress[-1] == 100
    assert set(progress) <= {0, 33, 67, 100}
    assert sorted(progress) == progress
    wrong = (("--progress", "bars"), ("--progress", "tqdm", "--progress-regex", "x"))
    for options in wrong:
        assert run_lamia_job(environ, "run", *options, "--", "true").returncode == 2


def test_ends_and_gaps() -> None:
    """The last line need not end; a line that is there in part has no number at its beginning."""
    search = LineSearch(EVENT)
    assert search.find(b"event 1", IS_LAST) == 1
    search = LineSearch(rb"\d+")
    assert search.find(b"12") is None
    assert search.find(b"34\n", FOLLOWS_GAP) is None
    assert search.find(b"5 6\n", FOLLOWS_GAP) == 6
    assert search.find(b"7\n" + b"x" * MAX_LINE_BYTES) == 7


def test_scanner_finds_the_last_number() -> None:
    """Output of any size is taken at once; after the end the last number is there."""
    scanner = ProgressScanner(EVENT.decode())
    for number in range(200_000):
        scanner.feed(b"event %d of many\n" % number)
    scanner.feed(b"event 999999")
    scanner.finish()
    assert (scanner.take(), scanner.take(), scanner.failure) == (999_999, None, None)


def test_scanner_gives_up_a_search_that_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the process there is no progress, but a reason."""
    monkeypatch.setattr(progress_scanner, "SEARCH", "import sys; sys.exit(3)")
    scanner = ProgressScanner("x")
    scanner.feed(b"x")
    until(lambda: scanner.failure, "the reason")
    scanner.feed(b"x")
    scanner.finish()
    assert (
        scanner.failure == "The search for progress has ended: its process has ended with status 3."
    )


def test_catastrophic_pattern(tmp_path: Path) -> None:
    """Output, beats and signals go on; the pattern is given up with a notice."""
    source = f"""
import os, time
os.write(1, b"{FOOD}\\n")
for number in range(1000):
    os.write(1, b"out %d\\n" % number)
    time.sleep(0.1)
"""
    program = ["--", sys.executable, "-c", source]
    with FaultyServer("good") as server:
        process = subprocess.Popen(
            [*LAMIA_JOB, "run", "--beat", "0.3", "--progress-regex", CATASTROPHE, *program],
            env=job_environment(server.url, tmp_path),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

        def beats() -> int:
            sent = [event for _headers, batch in server.requests for event in batch]
            return sum(event["eventClass"] == "BEAT" for event in sent)

        try:
            assert process.stdout is not None
            assert process.stderr is not None
            until(lambda: beats() >= 2, "beats", 10)
            notice = process.stderr.readline()
            known = beats()
            until(lambda: beats() >= known + 2, "beats", 10)
            process.terminate()
            out, rest = process.communicate(timeout=20)
        finally:
            process.kill()
            process.communicate()
        last = server.requests[-1][1][-1]
    assert notice.startswith(b"lamia-job: The search for progress has ended: the pattern of ")
    assert rest == b""
    assert process.returncode == -signal.SIGTERM
    lines = out.splitlines()
    assert lines[0] == FOOD.encode()
    assert lines[1:] == [b"out %d" % number for number in range(len(lines) - 1)]
    assert last["eventClass"] == "TERMINATED"
    assert any("takes too long" in warning for warning in last["payload"]["warnings"])


def test_exit_code_of_a_program_with_a_catastrophic_pattern(tmp_path: Path) -> None:
    """A program that ends before the pattern is given up ends as it would have without it."""
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    script = f"echo {FOOD}; exit 3"
    done = run_lamia_job(
        environ, "run", "--progress-regex", CATASTROPHE, "--", "sh", "-c", script, timeout=30
    )
    assert (done.returncode, done.stdout) == (3, f"{FOOD}\n".encode())
    assert [event["eventClass"] for event in spooled_events(tmp_path)].count("FAILED") == 1


def test_long_lines(tmp_path: Path) -> None:
    """A pattern that takes the square of a line's length is no trouble on lines of any length."""
    source = """
import os
for number in range(5):
    os.write(1, b"x" * 220_000 + b"event %d\\n" % number + b"y" * 220_000 + b"\\n")
"""
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    command = ["run", "--progress-regex", r".*event (\d+)", "--", sys.executable, "-c", source]
    done = run_lamia_job(environ, *command, timeout=20)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout) == 5 * (440_000 + len("event 1\n\n"))
    told = [
        event["progress"] for event in spooled_events(tmp_path) if event["eventClass"] == "PROGRESS"
    ]
    assert told[-1] == 4

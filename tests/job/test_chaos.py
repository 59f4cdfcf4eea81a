"""Many wrapped jobs and a faulty server, and large outputs. All of it is slow."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import random
import re
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from array import array
from pathlib import Path
from typing import IO, Self

import pytest

from tests.support.harness import Server, StartServer
from tests.support.job_side import (
    LAMIA_JOB,
    ROOT,
    job_environment,
    run_lamia_job,
    shell_command,
    spooled_events,
    stored_events,
)
from tests.support.waiting import until

pytestmark = pytest.mark.slow


class FlakyProxy:
    """A proxy to a server, whose connections can be cut and slowed at any time."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.delay = 0.0
        self.is_cut = False
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self._thread.join()

    def cut(self) -> None:
        """Break all connections, and every new one until it is mended."""
        self.is_cut = True
        for one in list(self._open):
            _break(one)

    def mend(self) -> None:
        """Let connections through again."""
        self.is_cut = False

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        with near:
            if self.is_cut:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                return
            with far:
                self._open |= {near, far}
                other = threading.Thread(target=self._pump, args=(far, near), daemon=True)
                other.start()
                self._pump(near, far)
                other.join()
                self._open -= {near, far}

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                time.sleep(self.delay)
                target.sendall(data)
        except OSError:
            pass
        _break(source)
        _break(target)


def _break(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


BOOKKEEPER = """
import os
from lamia_gql.client.__main__ import main
from lamia_gql.client.sender import Sender
put = Sender.put
def note(sender, event):
    with open(os.environ["BOOK"], "a") as book:
        book.write(f"{event.id}\\n")
    put(sender, event)
Sender.put = note
main()
"""
"""A lamia-job that writes down the ids of all that it is to send."""


@pytest.mark.timeout(240)
def test_chaos(start_server: StartServer, sqlite_url: str, tmp_path: Path) -> None:
    """Fifty jobs, and a server that is killed, restarted, cut off and slowed.

    After the last flush every event of every job is there exactly once, and every state is right.
    Each job sees several faults in half a minute: the server is away or slow for longer than a
    client waits before it retries (1 s), and for longer than its timeout (5 s).
    """
    server = start_server(sqlite_url)
    dice = random.Random(4)
    jobs = 50
    server.create("t", {"name": "p", "jobCount": jobs, "failureTolerance": jobs})
    ends = {index: ("exit 0", "exit 3", "kill -KILL $$")[index % 3] for index in range(jobs)}
    port = int(server.url.rpartition(":")[2])
    processes: dict[int, subprocess.Popen[bytes]] = {}
    with FlakyProxy(port) as proxy:
        for index in range(jobs):
            steps = dice.randint(8, 30)
            script = f"for i in $(seq {steps}); do echo event $i; sleep 1; done; {ends[index]}"
            options = ("--beat", "0.7", "--progress-regex", "event ([0-9]+)")
            book = tmp_path / f"book-{index}"
            processes[index] = subprocess.Popen(
                [sys.executable, "-c", BOOKKEEPER, "run", *options, "--", *shell_command(script)],
                env=job_environment(proxy.url, tmp_path, LAMIA_INDEX=index, BOOK=book),
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            # Not all at once, so that their beats are spread.
            time.sleep(0.05)
        for index in (1, 7, 13):
            # The batch system stops some.
            until((tmp_path / f"book-{index}").exists, "a start", 60)
            processes[index].terminate()
            ends[index] = "TERM"
        breaks = [_kill, _cut, _slow, _crawl]
        while any(process.poll() is None for process in processes.values()):
            breaks[0](server, proxy)
            # In turn, so that there is each of them, and with calm in between.
            breaks.append(breaks.pop(0))
            time.sleep(dice.random() * 2)
        for index, process in processes.items():
            assert process.communicate()[1] == b"", index
        codes = {index: process.returncode for index, process in processes.items()}
        done = run_lamia_job(job_environment(proxy.url, tmp_path), "flush")
        assert done.returncode == 0, done

    assert spooled_events(tmp_path) == []
    expected = {"exit 0": (0, "DONE"), "exit 3": (3, "FAILED"), "kill -KILL $$": (-9, "FAILED")}
    expected["TERM"] = (-signal.SIGTERM, "TERMINATED")
    found = stored_events(server)
    assert len({event["uuid"] for event in found}) == len(found)
    for index in range(jobs):
        code, end = expected[ends[index]]
        assert codes[index] == code, index
        mine = [event for event in found if event["job"]["index"] == index]
        mine.sort(key=lambda event: str(event["sentAt"]))
        told = (tmp_path / f"book-{index}").read_text().split()
        assert {event["uuid"] for event in mine} == set(told), index
        names = [event["eventClass"] for event in mine]
        assert names[0] == "STARTED"
        assert names[-1] == end
        assert names.count("STARTED") == names.count(end) == 1
        numbers = [event["progress"] for event in mine if event["eventClass"] == "PROGRESS"]
        assert numbers == sorted(set(numbers)), index
    counts = server.process("t", "p")["counts"]
    ended = {name: sum(expected[end][1] == name for end in ends.values()) for name in END_NAMES}
    assert {name: counts[name.lower()] for name in END_NAMES} == ended
    # They have had much to tell.
    assert sum(event["eventClass"] == "BEAT" for event in found) > 8 * (jobs - 3)
    server.check_counters()


def _kill(server: Server, _proxy: FlakyProxy) -> None:
    """The server is away for longer than a client hesitates."""
    server.kill()
    time.sleep(1.5)
    server.start()


def _cut(_server: Server, proxy: FlakyProxy) -> None:
    """All connections fail for a while."""
    proxy.cut()
    time.sleep(2)
    proxy.mend()


def _slow(_server: Server, proxy: FlakyProxy) -> None:
    """Answers take longer than they should."""
    proxy.delay = 0.7
    time.sleep(5)
    proxy.delay = 0.0


def _crawl(_server: Server, proxy: FlakyProxy) -> None:
    """Answers take longer than anybody waits."""
    proxy.delay = 3.0
    time.sleep(6)
    proxy.delay = 0.0


END_NAMES = ("DONE", "FAILED", "TERMINATED")


@pytest.mark.timeout(180)
def test_random_search_ends_when_it_is_enough(sqlite_server: Server, tmp_path: Path) -> None:
    """Three of fifty searches succeed; the others are terminated, and none has failed."""
    sqlite_server.create("t", {"name": "p", "jobCount": 50, "threshold": 3})
    processes = {}
    for index in range(50):
        find = 5 + index if index in (10, 20, 30) else 600
        script = f"sleep {find / 5}; echo found"
        processes[index] = subprocess.Popen(
            [*LAMIA_JOB, "run", "--stop-when-enough", "--beat", "1", "--", *shell_command(script)],
            env=job_environment(sqlite_server.url, tmp_path, SLURM_ARRAY_TASK_ID=index),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
    assert processes[30].wait(60) == 0
    third = time.monotonic()
    for index, process in processes.items():
        code = process.wait(60)
        assert code == (0 if index in (10, 20, 30) else -signal.SIGTERM)
        assert process.communicate()[1] == b""
    assert time.monotonic() - third < 20
    found = sqlite_server.process("t", "p")
    assert (found["state"], found["enough"]) == ("SUCCEEDED", True)
    counts = found["counts"]
    assert (counts["done"], counts["terminated"], counts["failed"]) == (3, 47, 0)


def test_gigabyte_of_output(tmp_path: Path) -> None:
    """A gigabyte of output passes unchanged, with and without a progress regex."""
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    source = """
import os
block = b"".join(b"event %d and what else there is to say of it\\n" % i for i in range(20000))
left = 1 << 30
while left > 0:
    left -= os.write(1, block[:left])
"""

    def digest(*prefix: str) -> str:
        seen = hashlib.sha256()
        with subprocess.Popen(
            [*prefix, sys.executable, "-c", source], env=environ, cwd=ROOT, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            while data := process.stdout.read(1 << 20):
                seen.update(data)
        assert process.returncode == 0
        return seen.hexdigest()

    plain = digest()
    assert digest(*LAMIA_JOB, "run", "--") == plain
    assert digest(*LAMIA_JOB, "run", "--progress-regex", "event ([0-9]+)", "--") == plain


def unread(pipe: IO[bytes]) -> int:
    """How many bytes wait in a pipe."""
    size = array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, size)
    return size[0]


def is_stalled(pipe: IO[bytes]) -> bool:
    """Whether a pipe has something in it, and nothing more comes for a moment."""
    before = unread(pipe)
    time.sleep(0.2)
    return 0 < before == unread(pipe)


def test_stalled_reader_keeps_the_signals(tmp_path: Path) -> None:
    """While nobody reads its output, a wrapped program can still be stopped."""
    process = subprocess.Popen(
        [*LAMIA_JOB, "run", "--progress-regex", "x", "--", "yes"],
        env=job_environment("http://127.0.0.1:1", tmp_path),
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    stdout = process.stdout
    until(lambda: is_stalled(stdout), "a full pipe")
    process.terminate()
    assert process.wait(30) == -signal.SIGTERM
    process.stdout.close()
    end = next(event for event in spooled_events(tmp_path) if event["eventClass"] == "TERMINATED")
    assert re.fullmatch("SIGTERM", end["payload"]["stoppedBy"])

"""Many wrapped jobs and a server that suffers; loads and costs. Slow, all of it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Self

import pytest

from tests.conftest import Serve
from tests.harness import Server
from tests.job_side import JOB, ROOT, events, job, job_environment, shell, spooled

pytestmark = pytest.mark.slow


class Line:
    """A line to a server that can be cut, and slowed, at any time."""

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


@pytest.mark.timeout(240)
def test_chaos(serve: Serve, sqlite_url: str, tmp_path: Path) -> None:
    """Fifty jobs, and a server that is killed, restarted, cut off and slowed.

    After the last flush every event of every job is there exactly once, and every state is right.
    """
    server = serve(sqlite_url)
    dice = random.Random(4)
    jobs = 50
    server.create("t", {"name": "p", "jobCount": jobs, "failureTolerance": jobs})
    ends = {index: ("exit 0", "exit 3", "kill -KILL $$")[index % 3] for index in range(jobs)}
    port = int(server.url.rpartition(":")[2])
    processes: dict[int, subprocess.Popen[bytes]] = {}
    with Line(port) as line:
        for index in range(jobs):
            steps = dice.randint(8, 30)
            script = f"for i in $(seq {steps}); do echo event $i; sleep 1; done; {ends[index]}"
            options = ("--beat", "0.7", "--progress-regex", "event ([0-9]+)")
            processes[index] = subprocess.Popen(
                [*JOB, "run", *options, "--", *shell(script)],
                env=job_environment(line.url, tmp_path, LAMIA_INDEX=index),
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            time.sleep(0.05)
        for index in (1, 7, 13):
            # The batch system stops some.
            processes[index].terminate()
            ends[index] = "TERM"
        while any(process.poll() is None for process in processes.values()):
            match dice.randrange(4):
                case 0:
                    server.kill()
                    time.sleep(dice.random() * 3)
                    server.start()
                case 1:
                    line.cut()
                    time.sleep(dice.random() * 3)
                    line.mend()
                case 2:
                    line.delay = 1.0
                    time.sleep(dice.random() * 4)
                    line.delay = 0.0
                case 3:
                    time.sleep(dice.random() * 2)
        for index, process in processes.items():
            assert process.communicate()[1] == b"", index
        codes = {index: process.returncode for index, process in processes.items()}
        done = job(job_environment(line.url, tmp_path), "flush")
        assert done.returncode == 0, done

    assert spooled(tmp_path) == []
    expected = {"exit 0": (0, "DONE"), "exit 3": (3, "FAILED"), "kill -KILL $$": (-9, "FAILED")}
    expected["TERM"] = (-signal.SIGTERM, "TERMINATED")
    found = events(server)
    assert len({event["uuid"] for event in found}) == len(found)
    for index in range(jobs):
        code, end = expected[ends[index]]
        assert codes[index] == code, index
        mine = [event for event in found if event["job"]["index"] == index]
        mine.sort(key=lambda event: str(event["sentAt"]))
        names = [event["eventClass"] for event in mine]
        assert names[0] == "STARTED"
        assert names[-1] == end
        assert names.count("STARTED") == names.count(end) == 1
        told = [event["progress"] for event in mine if event["eventClass"] == "PROGRESS"]
        assert told == sorted(set(told)), index
    counts = server.process("t", "p")["counts"]
    ended = {name: sum(expected[end][1] == name for end in ends.values()) for name in END_NAMES}
    assert {name: counts[name.lower()] for name in END_NAMES} == ended
    # Times at which nothing was lost leave no gaps: every beat of the shortest job is there.
    beats = sum(event["eventClass"] == "BEAT" for event in found)
    assert beats > 8 * (jobs - 3)
    server.recount()


END_NAMES = ("DONE", "FAILED", "TERMINATED")


@pytest.mark.timeout(180)
def test_random_search_ends_when_it_is_enough(sqlite_server: Server, tmp_path: Path) -> None:
    """Of fifty searches three find something; the others are ended, and nothing has failed."""
    sqlite_server.create("t", {"name": "p", "jobCount": 50, "threshold": 3})
    processes = {}
    for index in range(50):
        find = 5 + index if index in (10, 20, 30) else 600
        script = f"sleep {find / 5}; echo found"
        processes[index] = subprocess.Popen(
            [*JOB, "run", "--stop-when-enough", "--beat", "1", "--", *shell(script)],
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
    """A gigabyte passes through unharmed, also where every line is looked at."""
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
    assert digest(*JOB, "run", "--") == plain
    assert digest(*JOB, "run", "--progress-regex", "event ([0-9]+)", "--") == plain


@pytest.mark.timeout(300)
def test_overhead(sqlite_server: Server, tmp_path: Path) -> None:
    """A program of ten seconds takes less than 1 % longer."""
    sqlite_server.create("t", {"name": "p"})
    environ = job_environment(sqlite_server.url, tmp_path, LAMIA_INDEX="none")
    program = [sys.executable, "-c", "import time; time.sleep(10)"]

    def seconds(*prefix: str) -> float:
        begin = time.perf_counter()
        subprocess.run([*prefix, *program], env=environ, cwd=ROOT, check=True)
        return time.perf_counter() - begin

    rounds = [(seconds(), seconds(*JOB, "run", "--beat", "1", "--")) for _ in range(4)]
    extra = min(wrapped for _, wrapped in rounds) - min(bare for bare, _ in rounds)
    # On a machine that is busy with other things, starting anything takes longer.
    assert extra < (0.1 if os.getloadavg()[0] < 1 else 0.3)


def test_stalled_reader_keeps_the_signals(tmp_path: Path) -> None:
    """While nobody reads its output, a wrapped program can still be stopped."""
    process = subprocess.Popen(
        [*JOB, "run", "--progress-regex", "x", "--", "yes"],
        env=job_environment("http://127.0.0.1:1", tmp_path),
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    time.sleep(1.5)
    process.terminate()
    assert process.wait(30) == -signal.SIGTERM
    assert process.stdout is not None
    process.stdout.close()
    end = next(event for event in spooled(tmp_path) if event["eventClass"] == "TERMINATED")
    assert re.fullmatch("SIGTERM", end["payload"]["stoppedBy"])

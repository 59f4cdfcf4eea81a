"""The server under a service manager: it is handed over a socket, and tells how it is."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.harness import environment_with
from tests.support.waiting import until

SECONDS = 30.0
AS_SYSTEMD = """
import os, sys
sockets = [int(number) for number in sys.argv[1].split()]
# First beyond all places, so that none is overwritten.
moved = [os.dup2(number, 100 + place) for place, number in enumerate(sockets)]
for place, number in enumerate(moved):
    os.dup2(number, 3 + place)
    os.close(number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(sockets)))
os.execv(sys.executable, [sys.executable, "-m", "lamia_gql", "serve"])
"""
"""A program that becomes the server, and hands over the sockets of its argument to it."""


class Manager:
    """The receiving end of a service manager: its socket, and what it was told."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(SECONDS)
        self._socket.bind(address.replace("@", "\0"))

    def hear(self) -> str:
        """The next message."""
        return self._socket.recv(1000).decode()

    def until(self, message: str) -> list[str]:
        """The messages before this one."""
        before = []
        while (heard := self.hear()) != message:
            before.append(heard)
        return before

    def close(self) -> None:
        """Hear nothing any more."""
        self._socket.close()


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest) -> Iterator[Manager]:
    """A service manager, with both kinds of addresses."""
    # Not pytest's folder: its path is too long for a socket.
    with tempfile.TemporaryDirectory() as folder:
        name = f"{folder}/notify" if request.param == "file" else f"@{Path(folder).name}"
        made = Manager(name)
        yield made
        made.close()


@contextmanager
def serving(
    log: Path, environ: dict[str, str], *handed_over: socket.socket, **settings: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A server as a service manager starts it, with these sockets from descriptor 3 on."""
    numbers = [one.fileno() for one in handed_over]
    command = [sys.executable, "-m", "lamia_gql", "serve"]
    if numbers:
        command = [sys.executable, "-c", AS_SYSTEMD, " ".join(map(str, numbers))]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=environment_with({"port": 0} | settings) | environ,
            stdout=output,
            stderr=output,
            pass_fds=numbers,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def address_of(log: Path) -> str:
    """Where a server says that it serves."""
    found = re.search(r"on (http://\S+)/graphql", log.read_text())
    return found[1] if found else ""


def test_readiness_and_the_end_are_told(manager: Manager, tmp_path: Path, sqlite_url: str) -> None:
    """Ready is who answers; it is told regularly that the server lives, and when it stops."""
    log = tmp_path / "log"
    environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "400000"}
    with serving(log, environ, database_url=sqlite_url) as process:
        assert manager.hear() == "READY=1"
        assert httpx.get(f"{address_of(log)}/healthz", verify=False).status_code == 200
        assert [manager.hear() for _ in range(3)] == ["WATCHDOG=1"] * 3
        process.send_signal(signal.SIGTERM)
        assert set(manager.until("STOPPING=1")) <= {"WATCHDOG=1"}
        assert process.wait(SECONDS) in (0, -signal.SIGTERM)


@pytest.mark.slow
@pytest.mark.parametrize("manager", ["abstract"], indirect=True)
def test_workers_are_ready_and_the_first_process_tells_the_end(
    manager: Manager, tmp_path: Path, postgres_url: str
) -> None:
    """Each worker tells that it answers; that all stop, and live, is told once, by their parent.

    The folder for temporary files may have a long path, as in batch systems.
    """
    log, temporary = tmp_path / "log", tmp_path / ("long" * 30)
    temporary.mkdir()
    environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "400000"}
    environ["TMPDIR"] = str(temporary)
    with serving(log, environ, database_url=postgres_url, workers=2) as process:
        assert set(manager.until("READY=1")) <= {"WATCHDOG=1"}
        assert httpx.get(f"{address_of(log)}/healthz", verify=False).status_code == 200
        assert set(manager.until("READY=1")) <= {"WATCHDOG=1"}
        process.send_signal(signal.SIGTERM)
        assert set(manager.until("STOPPING=1")) <= {"WATCHDOG=1"}
        assert process.wait(SECONDS) == 0
        manager.close()


def test_a_manager_that_is_gone_does_not_stop_the_server(tmp_path: Path, sqlite_url: str) -> None:
    """Nobody listens at its address: the server serves."""
    log = tmp_path / "log"
    with serving(log, {"NOTIFY_SOCKET": f"{tmp_path}/none"}, database_url=sqlite_url):
        until(lambda: address_of(log), log.read_text, SECONDS)
        until(lambda: answers(f"{address_of(log)}/healthz"), log.read_text, SECONDS)


def answers(url: str) -> bool:
    """Whether an address answers."""
    try:
        return httpx.get(url, verify=False).status_code == 200
    except httpx.TransportError:
        return False


def test_a_socket_is_handed_over(tmp_path: Path, sqlite_url: str) -> None:
    """Requests wait in it until the server is there, also while it restarts; settings yield."""
    log = tmp_path / "log"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        for _ in range(2):
            with socket.create_connection(address, SECONDS) as client:
                client.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
                with serving(log, {}, listening, database_url=sqlite_url, port=9) as process:
                    assert client.recv(1000).startswith(b"HTTP/1.1 200 OK")
                    assert address_of(log) == f"http://127.0.0.1:{address[1]}"
                    process.send_signal(signal.SIGTERM)
                    assert process.wait(SECONDS) in (0, -signal.SIGTERM)


def test_a_log_that_cannot_be_written_does_not_stop_the_server(sqlite_url: str) -> None:
    """Its disk is full: the server serves."""
    full = Path("/dev/full")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = "http://{}:{}/healthz".format(*listening.getsockname())
        with serving(full, {}, listening, database_url=sqlite_url) as process:
            assert httpx.get(url, verify=False, timeout=SECONDS).status_code == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(SECONDS) in (0, -signal.SIGTERM)


def test_sockets_of_others_are_left_alone(tmp_path: Path, sqlite_url: str) -> None:
    """What the environment says about sockets counts for the process that it names only."""
    log = tmp_path / "log"
    environ = environment_with({"port": 0, "database_url": sqlite_url})
    environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "lamia_gql", "serve"], env=environ, stdout=output, stderr=output
        )
    try:
        until(lambda: address_of(log), log.read_text, SECONDS)
    finally:
        process.kill()
        process.wait()


def test_sockets_that_are_of_no_use(tmp_path: Path, sqlite_url: str) -> None:
    """Several, and those that do not listen for TCP, end the start with a sentence."""
    with (
        socket.create_server(("127.0.0.1", 0)) as good,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        socket.socket(socket.AF_UNIX) as local,
    ):
        local.bind(f"\0{tmp_path.name}-{os.getpid()}")
        local.listen()
        for sockets, words in (
            ((good, good), "takes one socket, but was handed over 2."),
            ((datagrams,), "does not listen for TCP"),
            ((local,), "does not listen for TCP"),
        ):
            log = tmp_path / "log"
            with serving(log, {}, *sockets, database_url=sqlite_url) as process:
                assert process.wait(SECONDS) == 2
            assert words in log.read_text()
            assert "Traceback" not in log.read_text()

"""The service under a real systemd, as `docs/install-rhel.md` installs it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.support.ports import free_ports
from tests.support.tools import require
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "deploy" / "systemd"
SCRIPT = ROOT / "tests" / "support" / "boot_systemd.sh"
SYSTEMD = Path("/lib/systemd/systemd")
EMPTY = "[Unit]\nDefaultDependencies=no\nAllowIsolate=yes\n"
TARGETS = ("boot", "sysinit", "basic", "sockets", "shutdown", "network", "multi-user")
"""What the units name. It is empty here, so that systemd starts nothing else."""
LOG = "/var/log/lamia-gql/server.log"
NO_CAPABILITIES = "0" * 16
NAMESPACES_OF_OUR_OWN = """
mount -t tmpfs tmpfs /mnt && mkdir /mnt/new /mnt/work /mnt/cgroup &&
mount -t overlay overlay /etc -o lowerdir=/etc,upperdir=/mnt/new,workdir=/mnt/work &&
mount -t cgroup2 cgroup2 /mnt/cgroup"""
REMOVE_GROUPS = """
mount -t cgroup2 cgroup2 /mnt || exit 1
[ ! -e "/mnt/$1" ] || find "/mnt/$1" -depth -type d -exec rmdir {} +"""
PRIVATE_MOUNTS = ("unshare", "--mount", "--propagation", "private")
INSTALL_S = 300.0
"""Seconds that the installation may take."""


class Booted:
    """A systemd that runs in namespaces of its own.

    Args:
        pid: its process id outside of them.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def run(self, *command: str) -> str:
        """What a command prints that is run beside the service."""
        namespaces = ("--mount", "--pid", "--uts", "--ipc", "--cgroup")
        enter = ["nsenter", "--target", str(self._pid), *namespaces]
        done = subprocess.run([*enter, *command], capture_output=True, text=True, check=False)
        return done.stdout.strip() + done.stderr.strip()

    def show(self, name: str) -> str:
        """A property of the service."""
        return self.run("systemctl", "show", "lamia-gql.service", "--value", "-p", name)

    def status(self, name: str) -> str:
        """A line of the status that the kernel has of the main process."""
        lines = self.run("cat", f"/proc/{self.show('MainPID')}/status").splitlines()
        (found,) = (line.split(maxsplit=1)[1] for line in lines if line.startswith(f"{name}:"))
        return found

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the main process."""
        main = int(self.show("MainPID"))
        assert main > 1
        self.run("kill", f"-{number.name.removeprefix('SIG')}", str(main))


def prepare(folder: Path, port: int) -> None:
    """What is copied to the machine, and the units with an address that is free here."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    for source in (
        ROOT / "requirements" / "run.lock",
        UNITS / "sysusers.conf",
        UNITS / "environment",
    ):
        shutil.copy(source, folder)
    units = folder / "units"
    units.mkdir()
    for name in TARGETS:
        (units / f"{name}.target").write_text(EMPTY)
    for unit in UNITS.glob("lamia-gql.*"):
        shutil.copy(unit, units)
    for name, changes in (
        ("socket", f"[Socket]\nListenStream=\nListenStream=127.0.0.1:{port}\n"),
        ("service", f"[Service]\nWatchdogSec=5\nStandardError=append:{LOG}\n"),
    ):
        (units / f"lamia-gql.{name}.d").mkdir()
        (units / f"lamia-gql.{name}.d" / "test.conf").write_text(changes)


@contextmanager
def booted(folder: Path) -> Iterator[Booted]:
    """A systemd with the units of a folder, where the service is installed."""
    log = folder / "boot.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*PRIVATE_MOUNTS, "bash", str(SCRIPT), "outside", str(folder)],
            stdout=output,
            stderr=output,
        )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")

    def child() -> int:
        assert process.poll() is None, log.read_text()
        # The installation has processes that come and go.
        with suppress(FileNotFoundError):
            for pid in children.read_text().split():
                if Path(f"/proc/{pid}/exe").resolve() == SYSTEMD.resolve():
                    return int(pid)
        return 0

    try:
        system = Booted(until(child, log.read_text, INSTALL_S))
        until(lambda: system.run("systemctl", "is-system-running") == "running", log.read_text)
        yield system
    finally:
        process.kill()
        process.wait()
        remove = ["unshare", "--mount", "sh", "-c", REMOVE_GROUPS, "sh", folder.name]
        until(
            lambda: subprocess.run(remove, capture_output=True, check=False).returncode == 0,
            log.read_text,
        )


def require_systemd() -> None:
    """Skip the test where none can run: not every container lets us have namespaces."""
    require("root" if os.geteuid() == 0 else None, "root, to run a systemd of its own")
    require(shutil.which("nsenter"), "Debian's util-linux")
    require(str(SYSTEMD) if SYSTEMD.exists() else None, "Debian's systemd")
    with suppress(OSError):
        test = ["unshare", "--mount", "--pid", "--cgroup", "--fork", "sh", "-c"]
        done = subprocess.run([*test, NAMESPACES_OF_OUR_OWN], capture_output=True, check=False)
        if done.returncode == 0:
            return
    pytest.skip("needs namespaces with overlays and control groups")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_service() -> None:
    """It starts without privileges, and again after a kill or a hang; requests wait meanwhile."""
    require_systemd()
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}/readyz"

    def is_ready() -> bool:
        # Nobody is refused: systemd has the socket.
        return httpx.get(url, timeout=60).text == '{"status":"ready"}'

    folder = Path(tempfile.mkdtemp(prefix="lamia-systemd-"))
    try:
        prepare(folder, port)
        with booted(folder) as system:
            assert system.run("systemctl", "start", "lamia-gql.socket") == ""
            # The first request starts it.
            until(is_ready, "ready", 60)
            assert system.show("ActiveState") == "active"
            assert system.status("CapEff") == system.status("CapBnd") == NO_CAPABILITIES
            assert system.status("NoNewPrivs") == "1"
            assert system.status("Seccomp") == "2"
            user = system.run("id", "--user", "lamia-gql")
            assert system.status("Uid").split() == [user] * 4 != ["0"] * 4
            data = system.run("stat", "--format=%U %a", "/var/lib/lamia-gql/lamia.sqlite")
            assert data == "lamia-gql 600"

            system.send(signal.SIGKILL)
            until(is_ready, "ready", 60)
            assert system.show("NRestarts") == "1"
            system.send(signal.SIGSTOP)
            # systemd hears nothing of it any more.
            until(lambda: system.show("NRestarts") == "2", lambda: system.show("Result"), 60)
            until(is_ready, "ready", 60)
            assert system.run("systemctl", "restart", "lamia-gql.service") == ""
            until(is_ready, "ready", 60)
            assert system.run("systemctl", "stop", "lamia-gql.service", "lamia-gql.socket") == ""
            assert system.show("Result") == "success"
            written = system.run("cat", LOG)
            assert "Application shutdown complete" in written
            assert "Traceback" not in written
    finally:
        shutil.rmtree(folder)

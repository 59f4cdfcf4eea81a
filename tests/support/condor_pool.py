"""A personal pool of HTCondor, in a root file system that ``make test-batch`` has made."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Self

import pytest

from tests.support.waiting import until

ROOT = Path(os.environ.get("CONDOR_ROOT", Path(__file__).parents[2] / ".condor"))
"""The root file system; see tests/batch/make_condor_root."""
START_TIMEOUT_S = 60.0
CONFIGURATION = """\
LOCAL_DIR = /pool
RELEASE_DIR = /usr
LIB = /usr/lib/condor
LIBEXEC = /usr/libexec/condor
SHARE = /usr/share/condor
RUN = /pool/run
LOG = /pool/log
LOCK = /pool/lock
SPOOL = /pool/spool
EXECUTE = /pool/execute
CONDOR_HOST = 127.0.0.1
COLLECTOR_HOST = 127.0.0.1:{port}
SHARED_PORT_PORT = {port}
NETWORK_INTERFACE = 127.0.0.1
BIND_ALL_INTERFACES = False
use ROLE: CentralManager
use ROLE: Submit
use ROLE: Execute
use SECURITY: host_based
SEC_DEFAULT_AUTHENTICATION_METHODS = FS
ALLOW_ADMINISTRATOR = *
ALLOW_DAEMON = *
ALLOW_NEGOTIATOR = *
ALLOW_READ = *
ALLOW_WRITE = *
# What a changed root does not allow.
MOUNT_UNDER_SCRATCH =
MOUNT_PRIVATE_DEV_SHM = FALSE
NUM_CPUS = 8
MEMORY = 2048
NUM_SLOTS_TYPE_1 = 1
SLOT_TYPE_1 = 100%
SLOT_TYPE_1_PARTITIONABLE = TRUE
# It shall be fast, with a few jobs on one machine.
NEGOTIATOR_CYCLE_DELAY = 1
NEGOTIATOR_INTERVAL = 1
NEGOTIATOR_MIN_INTERVAL = 1
RUNBENCHMARKS = 0
SCHEDD_INTERVAL = 2
SCHEDD_MIN_INTERVAL = 1
SHADOW_QUEUE_UPDATE_INTERVAL = 2
STARTER_UPDATE_INTERVAL = 2
UPDATE_INTERVAL = 2
EVENT_LOG = /pool/log/EventLog
EVENT_LOG_JOB_AD_INFORMATION_ATTRS = LamiaTask, LamiaProcess, LamiaIndex
EVENT_LOG_MAX_ROTATIONS = 9
EVENT_LOG_MAX_SIZE = 30000
"""
START = """
set -e
mount --make-rprivate /
mount -t proc proc "$0/proc"
mount -t tmpfs tmpfs "$0/tmp"
mount -t tmpfs tmpfs "$0/dev/shm"
mount --bind "$1" "$0/pool"
exec chroot "$0" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin CONDOR_CONFIG=/pool/condor_config sh -c '
  chown condor: /pool/run /pool/log /pool/lock /pool/spool /pool/execute
  chown worker: /pool/work
  exec condor_master -f'
"""
"""In namespaces of its own."""


def require_condor() -> None:
    """Skip the test where HTCondor can't run.

    CI has it where Debian 13 can be had, and where it may mount.
    """
    if not (ROOT / ".complete").exists():
        missing = f"needs {ROOT}, which make test-batch makes, as root, with debootstrap"
    elif subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], check=False).returncode:
        missing = "needs root, with the right to mount"
    else:
        return
    pytest.skip(missing)


class CondorPool:
    """A pool with one machine, which pretends to have eight cores.

    Args:
        folder: where its files are; ``work`` is that of its user.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.event_log = folder / "log" / "EventLog"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        for name in ("run", "log", "lock", "spool", "execute", "work"):
            (self.folder / name).mkdir(parents=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        (self.folder / "condor_config").write_text(CONFIGURATION.format(port=port))
        with (self.folder / "output").open("wb") as output:
            self._process = subprocess.Popen(
                [
                    *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
                    *("sh", "-c", START, str(ROOT), str(self.folder)),
                ],
                stdout=output,
                stderr=output,
            )
        until(self._is_ready, self._describe, START_TIMEOUT_S)
        return self

    def __exit__(self, *_exception: object) -> None:
        assert self._process is not None
        # The first process of its namespace; all others end with it.
        os.kill(self._master, signal.SIGKILL)
        self._process.wait()

    def run(self, *command: str) -> str:
        """Run a command in the pool as its user, in the folder ``work``; returns its output."""
        done = self._run(*command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def submit(self, description: str) -> int:
        """Submit jobs; returns the number of their cluster."""
        (self.work / "jobs.sub").write_text(description)
        return int(self.run("condor_submit", "-terse", "jobs.sub").split(".")[0])

    def kill_starter(self, job: str) -> None:
        """Kill what runs a job on its machine, by SIGKILL: the machine seems to be lost."""
        slot = self.run("condor_q", job, "-af", "RemoteHost").partition("@")[0]
        namespace = os.readlink(f"/proc/{self._master}/ns/pid")
        killed = 0
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_text().split("\0")
                is_here = os.readlink(entry / "ns" / "pid") == namespace
            except OSError:
                continue  # it has ended
            if is_here and Path(words[0]).name == "condor_starter" and slot in words:
                os.kill(int(entry.name), signal.SIGKILL)
                killed += 1
        assert killed == 1, f"{killed} starters of {job} in {slot}"

    @property
    def _master(self) -> int:
        """The process id of its first process, as it is seen here."""
        assert self._process is not None
        pid = self._process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        user = (ROOT / "etc" / "passwd").read_text().partition("\nworker:x:")[2].split(":")[:2]
        return subprocess.run(
            [
                *("nsenter", "--target", str(self._master), "--mount", "--pid"),
                *("chroot", f"--userspec={':'.join(user)}", str(ROOT), "env", "-i"),
                *("PATH=/usr/bin:/bin", "HOME=/pool/work", "CONDOR_CONFIG=/pool/condor_config"),
                *("sh", "-c", 'cd /pool/work && exec "$@"', "sh", *command),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._describe()
        try:
            slots = self._run("condor_status", "-af", "Name").stdout
        except (OSError, IndexError):
            return False  # it has no first process yet
        return bool(slots.strip()) and self._run("condor_q").returncode == 0

    def _describe(self) -> str:
        logs = [self.folder / "output", self.folder / "log" / "MasterLog"]
        return "".join(path.read_text() for path in logs if path.exists())

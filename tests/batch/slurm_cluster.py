"""A Slurm of two nodes on this machine, with a folder of its own and ports of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

from tests.batch.processes import find_parents, find_processes, kill
from tests.support.ports import free_ports
from tests.support.tools import find_program, require
from tests.support.waiting import until

NODES = ("node1", "node2")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
ACCOUNTING_PROGRAMS = ("slurmdbd", "sacct", "sacctmgr", "mariadbd", "mariadb-install-db")
COMMAND_TIMEOUT_S = 30.0
CONFIGURATION = """\
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# A requeued job waits until its credential has expired: two minutes, unless said otherwise.
AuthInfo=socket={folder}/munge/socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
# Without cgroups, whoever uses more memory than was asked for is found by looking.
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=60
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
# On a busy machine, a node answers late.
SlurmdTimeout=15
KillWait=1
SlurmdParameters=config_overrides
NodeName=node1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={node1_port} CPUs=99 RealMemory=9900
NodeName=node2 NodeHostname=localhost NodeAddr=127.0.0.1 Port={node2_port} CPUs=99 RealMemory=9900
MaxArraySize=200000
MaxJobCount=300000
PartitionName=main Nodes=ALL Default=YES State=UP
"""
ACCOUNTING = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={database_port}
AccountingStoragePass={folder}/munge/socket
AccountingStoreFlags=job_comment
"""
DATABASE_CONFIGURATION = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={database_port}
SlurmUser=root
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_accounts
"""


def require_programs(*, accounting: bool) -> None:
    """Skip the test where what a cluster runs is missing, unless TESTS_COMPLETE is set."""
    for name in PROGRAMS + (ACCOUNTING_PROGRAMS if accounting else ()):
        require(find_program(name), name)


class SlurmCluster:
    """A running cluster.

    Args:
        folder: for its files; short, because the paths of sockets may not be long.
        hooks: what to set in its configuration beside the rest, such as PrologSlurmctld.
        accounting: whether it keeps accounts, in a MariaDB.
    """

    def __init__(self, folder: Path, hooks: Mapping[str, str], *, accounting: bool) -> None:
        self.folder = folder
        self.has_accounting = accounting
        self._stack = ExitStack()
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        ports = ("controller_port", "node1_port", "node2_port", "database_port")
        places = {"folder": str(folder)} | dict(zip(ports, free_ports(len(ports)), strict=True))
        text = CONFIGURATION.format_map(places)
        if accounting:
            text += ACCOUNTING.format_map(places)
            database = folder / "slurmdbd.conf"
            database.write_text(DATABASE_CONFIGURATION.format_map(places))
            database.chmod(0o600)
        text += "".join(f"{name}={value}\n" for name, value in hooks.items())
        self.configuration = folder / "slurm.conf"
        self.configuration.write_text(text)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stack.close()
        # The jobs, and what watches over them.
        kill(find_processes(*self._mark))

    @property
    def environment(self) -> dict[str, str]:
        """What its commands and hooks need in their environment."""
        return {"SLURM_CONF": str(self.configuration)}

    @property
    def _mark(self) -> list[str]:
        """What all processes of the cluster have in their environment."""
        return [f"{name}={value}" for name, value in self.environment.items()]

    def run(
        self, *command: str, check: bool = False, environ: Mapping[str, str] | None = None
    ) -> str:
        """What a command prints, on stdout and stderr.

        Args:
            command: its name and arguments.
            check: whether it must succeed.
            environ: more of its environment.
        """
        done = subprocess.run(
            command,
            env={**os.environ, **self.environment, **(environ or {})},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        assert not (check and done.returncode), f"{command}: {done.stdout}"
        return done.stdout.strip()

    def submit(self, script: Path, *options: str) -> str:
        """Submit a script; the number of the job or array."""
        command = ("sbatch", "--parsable", f"--output={self.folder}/job-%j.out", *options)
        return self.run(*command, str(script), check=True)

    def states(self, job: str) -> dict[str, str]:
        """The states of the jobs that the controller knows of an array, by their batch ids."""
        form = "%F_%K %T"
        lines = self.run("squeue", "-h", "-r", "-t", "all", "-j", job, "-o", form).splitlines()
        return dict(line.split(" ", 1) for line in lines)

    def kill_node(self, node: str) -> None:
        """Kill the daemon of a node with all its jobs, as when the machine loses power."""
        daemon = self._daemons.pop(node)
        jobs = find_processes(*self._mark, f"SLURMD_NODENAME={node}")
        # First those who could tell the controller.
        daemon.kill()
        kill(find_parents(jobs) & find_processes(*self._mark) - jobs)
        kill(jobs)
        daemon.wait()

    def start_node(self, node: str) -> None:
        """Start the daemon of a node."""
        self._run_daemon(node, "slurmd", "-D", "-N", node, "-f", str(self.configuration))

    def _start(self) -> None:
        for name in ("state", "munge", *(f"spool.{node}" for node in NODES)):
            (self.folder / name).mkdir(mode=0o700)
        munge = self.folder / "munge"
        key = munge / "key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        files = {"socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        options = [f"--{option}={munge / name}" for option, name in files.items()]
        command = ("munged", "--foreground", "--force", f"--key-file={key}", *options)
        self._run_daemon("munged", *command)
        until((munge / "socket").exists, lambda: self._log("munged"))
        if self.has_accounting:
            self._start_accounting()
        # Slurm runs the scripts of its controller only if the daemon has this name.
        self._run_daemon("slurmctld", "slurmctld", "-D", "-i", "-f", str(self.configuration))
        for node in NODES:
            self.start_node(node)
        until(
            lambda: self.run("sinfo", "-h", "-o", "%T %D") == f"idle {len(NODES)}",
            lambda: "\n".join(map(self._log, ("slurmctld", *NODES))),
        )

    def _start_accounting(self) -> None:
        data, where = self.folder / "data", self.folder / "database.socket"
        options = ("--no-defaults", f"--datadir={data}", "--user=root")
        install = ("--auth-root-authentication-method=normal", "--skip-test-db")
        self.run("mariadb-install-db", *options, *install, check=True)
        fast = ("--innodb-flush-log-at-trx-commit=0", "--skip-networking")
        self._run_daemon("mariadbd", "mariadbd", *options, f"--socket={where}", *fast)
        ping = ("mariadb-admin", "--no-defaults", f"--socket={where}", "ping")
        until(lambda: "alive" in self.run(*ping), lambda: self._log("mariadbd"))
        self._run_daemon("slurmdbd", "slurmdbd", "-D", MYSQL_UNIX_PORT=str(where))
        add = ("sacctmgr", "-i", "add", "cluster", "test")
        until(lambda: "Adding" in self.run(*add), lambda: self._log("slurmdbd"))

    def _run_daemon(self, name: str, program: str, *arguments: str, **environment: str) -> None:
        path = find_program(program)
        assert path is not None
        with self._log_file(name).open("ab") as log:
            daemon = subprocess.Popen(
                [path, *arguments],
                env={**os.environ, **self.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._daemons[name] = daemon
        self._stack.callback(_end, daemon)

    def _log_file(self, name: str) -> Path:
        return self.folder / f"{name}.out"

    def _log(self, name: str) -> str:
        return self._log_file(name).read_text(errors="replace")[-2000:]


def _end(daemon: subprocess.Popen[bytes]) -> None:
    daemon.send_signal(signal.SIGTERM)
    try:
        daemon.wait(1)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder whose path is short."""
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)

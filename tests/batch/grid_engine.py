"""A Grid Engine of one node on this machine, with a folder of its own and ports of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self

from tests.support.tools import require
from tests.support.waiting import until

SHARED = Path("/usr/share/gridengine")
LIBRARY = Path("/usr/lib/gridengine")
INSTALLED = Path("/var/lib/gridengine")
"""Where Debian's packages gridengine-client, gridengine-exec and gridengine-master put things."""
CELL = "test"
HOST = "localhost"
SLOTS = 30
NOTIFY_S = 5
COMMAND_TIMEOUT_S = 30.0
CONFIGURATION = {
    "min_uid": "0",
    "min_gid": "0",
    "load_report_time": "00:00:01",
    "reporting_params": "accounting=true reporting=false flush_time=00:00:01",
}
SCHEDULER = {"schedule_interval": "0:0:1", "flush_submit_sec": "1", "flush_finish_sec": "1"}
SPOOLED = {
    "complexes": SHARED / "util" / "resources" / "centry",
    "usersets": SHARED / "util" / "resources" / "usersets",
}


class GridEngine:
    """A running cell.

    Args:
        folder: for its files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with ExitStack() as stack:
            sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
            for each in sockets:
                each.bind(("127.0.0.1", 0))
            ports = [str(each.getsockname()[1]) for each in sockets]
        self.environment = {
            "SGE_ROOT": str(folder),
            "SGE_CELL": CELL,
            "SGE_QMASTER_PORT": ports[0],
            "SGE_EXECD_PORT": ports[1],
        }
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stack.close()
        for name in ("pid", "job_pid"):
            # What runs a job outlives the daemon that has started it.
            for file in self.folder.glob(f"execd/*/active_jobs/*/{name}"):
                with suppress(OSError, ValueError):
                    os.killpg(int(file.read_text()), signal.SIGKILL)

    def run(self, *command: str, environ: Mapping[str, str] | None = None) -> str:
        """What a command prints; it must succeed.

        Args:
            command: its name and arguments.
            environ: more of its environment.
        """
        done = self._try(*command, environ=environ)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def add_queue(self, name: str, **settings: str) -> None:
        """Add a queue with settings like ``prolog``; the others are the usual ones."""
        own = {"hostlist": HOST, "slots": str(SLOTS), "notify": f"00:00:{NOTIFY_S:02}"}
        own |= {"shell_start_mode": "posix_compliant", "pe_list": "NONE", "load_thresholds": "NONE"}
        template = self.run("qconf", "-sq")
        settings = {"qname": name, **own, **settings}
        self.run("qconf", "-Aq", str(self._write(name, _replace(template, settings))))

    def submit(self, script: Path, *options: str, **variables: str) -> str:
        """Submit a script; the number of the job or array.

        Args:
            script: what to run.
            options: of ``qsub``.
            variables: of its environment.
        """
        given = ",".join(f"{name}={value}" for name, value in variables.items())
        folder = str(script.parent)
        settings = ("-wd", folder, "-o", folder, "-e", folder, "-v", given)
        printed = self.run("qsub", "-terse", *settings, *options, str(script))
        return printed.strip().partition(".")[0]

    def is_stopped(self, job: str) -> bool:
        """Whether the process of a job, like ``12.7``, is stopped."""
        (file,) = self.folder.glob(f"execd/*/active_jobs/{job}/job_pid")
        status = Path(f"/proc/{file.read_text().strip()}/stat").read_text()
        return status.rpartition(")")[2].split()[0] == "T"

    def clear_error(self, job: str) -> None:
        """Let a job run again that gets, or has got, into the state of an error."""
        # The exit code says nothing.
        command = ("qmod", "-cj", job)
        until(lambda: "cleared error state" in self._try(*command).stdout, f"{job} in error")

    def accounts(self, job: str) -> dict[int, list[dict[str, str]]]:
        """What ``qacct`` says of the runs of each job of an array, by their indices."""
        done = self._try("qacct", "-j", job)
        found: dict[int, list[dict[str, str]]] = {}
        for part in re.split(r"^=+$", done.stdout, flags=re.MULTILINE)[1:]:
            lines = (line.split(None, 1) for line in part.splitlines() if " " in line)
            record = {name: value.strip() for name, value in lines}
            found.setdefault(int(record["taskid"]), []).append(record)
        return found

    def _start(self) -> None:
        for name in ("bin", "lib", "util", "utilbin"):
            (self.folder / name).symlink_to(INSTALLED / name)
        common = self.folder / CELL / "common"
        for path in (common, self.folder / "qmaster" / "job_scripts", self.folder / "execd"):
            path.mkdir(parents=True)
        database = self.folder / "spooldb"
        database.mkdir()
        bootstrap = {
            "admin_user": "none",
            "spooling_params": str(database),
            "qmaster_spool_dir": str(self.folder / "qmaster"),
        }
        text = (SHARED / "default-bootstrap").read_text()
        (common / "bootstrap").write_text(_replace(text, bootstrap))
        (common / "act_qmaster").write_text(f"{HOST}\n")
        (common / "host_aliases").write_text(f"{HOST} {' '.join(_names_of_this_machine())}\n")
        configuration = CONFIGURATION | {"execd_spool_dir": str(self.folder / "execd")}
        text = (SHARED / "default-configuration").read_text()
        path = self._write("global", _replace(text, configuration))
        libraries = {"LD_LIBRARY_PATH": str(LIBRARY)}
        tool = (str(LIBRARY / "spoolinit"), "berkeleydb", "libspoolb", str(database), "init")
        self.run(*tool, environ=libraries)
        for kind, source in {"configuration": path, **SPOOLED, "managers": "root"}.items():
            self.run(str(LIBRARY / "spooldefaults"), kind, str(source))
        self._run_daemon("sge_qmaster")
        until(lambda: self._try("qconf", "-as", HOST).returncode == 0, self._describe)
        scheduler = _replace(self.run("qconf", "-ssconf"), SCHEDULER)
        self.run("qconf", "-Msconf", str(self._write("scheduler", scheduler)))
        self._run_daemon("sge_execd")
        until(lambda: HOST in self._try("qconf", "-sel").stdout, self._describe)

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def _try(
        self, *command: str, environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env={**os.environ, **self.environment, **(environ or {})},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )

    def _run_daemon(self, name: str) -> None:
        with (self.folder / f"{name}.out").open("ab") as output:
            daemon = subprocess.Popen(
                [str(Path("/usr/sbin", name))],
                # Else it goes into the background.
                env={**os.environ, **self.environment, "SGE_ND": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self._stack.callback(_end, daemon)

    def _describe(self) -> str:
        return "\n".join(path.read_text()[-2000:] for path in self.folder.glob("*.out"))


def _replace(text: str, settings: Mapping[str, str]) -> str:
    """Set settings in a text that has one on each line."""
    for name, value in settings.items():
        text, count = re.subn(rf"^{name}\s.*", f"{name} {value}", text, flags=re.MULTILINE)
        assert count == 1, f"{name} is {count} times in {text}"
    return text


def _names_of_this_machine() -> list[str]:
    """What Grid Engine may find as the name of the host."""
    names = {socket.gethostname(), socket.getfqdn()}
    for address in {"127.0.0.1", *socket.gethostbyname_ex(socket.gethostname())[2]}:
        with suppress(OSError):
            name, aliases, _addresses = socket.gethostbyaddr(address)
            names |= {name, *aliases}
    return sorted(names - {HOST})


def _end(daemon: subprocess.Popen[bytes]) -> None:
    daemon.kill()
    daemon.wait()


@contextmanager
def run_grid_engine(folder: Path) -> Iterator[GridEngine]:
    """A cell; the test is skipped without Debian's packages or root, unless it must not be."""
    programs = (f"/usr/sbin/{name}" for name in ("sge_qmaster", "sge_execd"))
    found = all(map(shutil.which, ("qsub", *programs)))
    require("yes" if found else None, "Debian's gridengine-master, -exec and -client")
    require("yes" if os.getuid() == 0 else None, "root, to run a Grid Engine of its own")
    with GridEngine(folder) as engine:
        yield engine

"""The documented hooks of LSF and PBS run as printed, with the variables that these set."""

from __future__ import annotations

import json
import os
import pwd
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.harness import Server
from tests.support.job_side import ROOT, job_environment, stored_events
from tests.support.recipes import find_recipe

LSF = {"LSB_JOBID": "1234", "LSB_JOBINDEX": "7", "LSB_HOSTS": "node7"}
JOBS = """query($index: Int!) { job(task: "t", process: "p", index: $index) {
  state exitCode signal message batchId attempt } }"""
PBS_MODULE = """\
import json, os
def record(name):
    # Only root may do it, and the tests need not be root.
    setattr(os, name, lambda *given: print(name, *given, file=open(os.environ["RIGHTS"], "a")))
for name in ("initgroups", "setgid", "setuid"):
    record(name)
EXECJOB_PROLOGUE, EXECJOB_EPILOGUE, EVENT_ERROR = 128, 256, 1
given = json.loads(os.environ["EVENT"])
class Variables:
    # Not all that a dictionary has.
    def keys(self):
        return given["variables"].keys()
    def __getitem__(self, name):
        return given["variables"][name]
class Job:
    id = given["id"]
    euser = "nobody"
    Variable_List = Variables()
    Exit_status = given["status"]
    def in_ms_mom(self):
        return given["is_first_node"]
class Event:
    type = EXECJOB_PROLOGUE if given["status"] is None else EXECJOB_EPILOGUE
    job = Job()
def event():
    return Event()
def logmsg(level, text):
    raise SystemExit(text)
"""


@pytest.fixture
def hook_server(sqlite_server: Server) -> Server:
    """A server with the array of the jobs."""
    sqlite_server.create("t", {"name": "p", "jobCount": 10})
    return sqlite_server


def install(folder: Path, page: str, name: str) -> str:
    """A recipe whose lamia-job is in this folder."""
    command = f'exec {shlex.quote(sys.executable)} -m lamia_gql.client "$@"'
    (folder / "lamia-job").write_text(f"#!/bin/sh\nPYTHONPATH={ROOT} {command}\n")
    (folder / "lamia-job").chmod(0o755)
    text = find_recipe(page, name)
    assert "/opt/lamia/bin/lamia-job" in text
    return text.replace("/opt/lamia/bin", str(folder))


def run_lsf(folder: Path, server: Server, name: str, **variables: Any) -> None:
    """Run a command before or after a job, as LSF does."""
    script = install(folder, "lsf-pbs", name)
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        env=job_environment(server.url, folder, **LSF, **variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("variables", "end"),
    [
        ({"LSB_JOBEXIT_STAT": 0}, ("DONE", 0, None, None)),
        ({"LSB_JOBEXIT_STAT": 3 << 8}, ("FAILED", 3, None, None)),
        ({"LSB_JOBEXIT_STAT": 11}, ("FAILED", None, "SIGSEGV", None)),
        ({"LSB_JOBEXIT_STAT": 137 << 8}, ("FAILED", None, "SIGKILL", None)),
        ({"LSB_JOBEXIT_STAT": 143 << 8}, ("TERMINATED", None, "SIGTERM", None)),
        ({"LSB_JOBEXIT_STAT": 152 << 8}, ("FAILED", None, "SIGXCPU", None)),
        ({"LSB_JOBEXIT_STAT": 2 << 8}, ("FAILED", 2, None, None)),
        ({"LSB_JOBEXIT_STAT": 255 << 8}, ("FAILED", 255, None, None)),
        (
            {"LSB_JOBEXIT_STAT": 130 << 8, "LSB_JOBEXIT_INFO": "SIGNAL -14 SIG_TERM_USER"},
            ("TERMINATED", None, "SIGINT", "SIGNAL -14 SIG_TERM_USER"),
        ),
        ({"LSB_JOBEXIT_STAT": 99 << 8, "LSB_JOBPEND": 1}, ("SUBMITTED", None, None, "Requeued.")),
    ],
)
def test_lsf(
    hook_server: Server, tmp_path: Path, variables: dict[str, Any], end: tuple[object, ...]
) -> None:
    """The commands before and after a job tell its start and its end, with the reason."""
    run_lsf(tmp_path, hook_server, "lamia-pre-exec")
    assert hook_server.graphql(JOBS, index=7)["job"]["state"] == "RUNNING"
    run_lsf(tmp_path, hook_server, "lamia-post-exec", **variables)
    job = hook_server.graphql(JOBS, index=7)["job"]
    assert (job["state"], job["exitCode"], job["signal"], job["message"]) == end
    assert (job["batchId"], job["attempt"]) == ("1234[7]", 0)


def test_lsf_without_label(hook_server: Server, tmp_path: Path) -> None:
    """Jobs of users who don't know of it cost nothing."""
    for name in ("lamia-pre-exec", "lamia-post-exec"):
        run_lsf(tmp_path, hook_server, name, LAMIA_TASK=None, LSB_JOBEXIT_STAT=256)
    assert stored_events(hook_server) == []


def test_esub(tmp_path: Path) -> None:
    """A job that has no address gets that of the server."""
    script = find_recipe("lsf-pbs", "esub.lamia")
    for url, expected in (("", 'LAMIA_URL = "http://monitor:8088"\n'), ("http://own", "")):
        changes = tmp_path / "changes"
        changes.write_text("")
        environ = {"LAMIA_URL": url, "LSB_SUB_MODIFY_ENVFILE": str(changes)}
        subprocess.run(["/bin/sh", "-c", script], env=environ, check=True)
        assert changes.read_text() == expected


def run_pbs(folder: Path, server: Server, status: int | None, **fields: Any) -> str:
    """Run the hook, as PBS does at the start (no status) or the end of a job; what it logs."""
    event = {
        "id": "1234[7].server",
        "variables": {
            "LAMIA_TASK": "t",
            "LAMIA_PROCESS": "p",
            "LAMIA_SPOOL": str(folder / "spool"),
            "PBS_O_HOME": "/home/ada",
        },
        "status": status,
        "is_first_node": True,
    } | fields
    source = install(folder, "lsf-pbs", "lamia_hook.py")
    (folder / "lamia_hook.py").write_text(source.replace("http://monitor:8088", server.url))
    (folder / "pbs.py").write_text(PBS_MODULE)
    environ = {
        "PATH": os.environ["PATH"],
        "EVENT": json.dumps(event),
        "RIGHTS": str(folder / "rights"),
    }
    done = subprocess.run(
        [sys.executable, "lamia_hook.py"], cwd=folder, env=environ, capture_output=True, text=True
    )
    return done.stderr


@pytest.mark.parametrize(
    ("status", "end"),
    [
        (0, ("DONE", 0, None, None)),
        (3, ("FAILED", 3, None, None)),
        (-3, ("FAILED", None, None, "PBS could not run the job: -3")),
        (256 + signal.SIGTERM, ("TERMINATED", None, "SIGTERM", None)),
        (256 + signal.SIGKILL, ("FAILED", None, "SIGKILL", None)),
    ],
)
def test_pbs(hook_server: Server, tmp_path: Path, status: int, end: tuple[object, ...]) -> None:
    """The hook tells the start and the end of a job, with the reason."""
    assert run_pbs(tmp_path, hook_server, None) == ""
    assert hook_server.graphql(JOBS, index=7)["job"]["state"] == "RUNNING"
    assert run_pbs(tmp_path, hook_server, status) == ""
    job = hook_server.graphql(JOBS, index=7)["job"]
    assert (job["state"], job["exitCode"], job["signal"], job["message"]) == end
    assert job["batchId"] == "1234[7].server"


def test_pbs_gives_up_the_rights_of_root(hook_server: Server, tmp_path: Path) -> None:
    """Else a user could let root read any file, as token, and write anywhere, as spool."""
    assert run_pbs(tmp_path, hook_server, None) == ""
    owner = pwd.getpwnam("nobody")
    assert (tmp_path / "rights").read_text().splitlines() == [
        f"initgroups nobody {owner.pw_gid}",
        f"setgid {owner.pw_gid}",
        f"setuid {owner.pw_uid}",
    ]
    assert [event["eventClass"] for event in stored_events(hook_server)] == ["STARTED"]


def test_pbs_ignores_other_jobs(hook_server: Server, tmp_path: Path) -> None:
    """Jobs without a label, and the other nodes of a job, tell nothing; errors are logged."""
    assert run_pbs(tmp_path, hook_server, 0, variables={"HOME": "/home/ada"}) == ""
    assert run_pbs(tmp_path, hook_server, 0, is_first_node=False) == ""
    assert stored_events(hook_server) == []
    assert run_pbs(tmp_path, hook_server, 0, id=None).startswith("lamia: ")

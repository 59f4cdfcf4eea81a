"""What the tests on a real Slurm share: a cluster with hooks, followers, scripts."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.batch.slurm_cluster import SlurmCluster, missing_programs, short_folder
from tests.support.harness import Server, environment_with

ROOT = Path(__file__).parents[2]
JOBS = """query($task: String!) { process(task: $task, name: "fill") { ... on JobArray {
  counts { done failed terminated }
  jobs(first: 100) { nodes { index state hostname exitCode signal message batchId starts
    usage { wallSeconds cpus cpuSeconds } } } } } }"""


def write_hook(folder: Path, url: str) -> Path:
    """What an administrator writes: the script that the controller runs."""
    settings = {
        "SLURM_CONF": folder / "slurm.conf",
        "PYTHONPATH": ROOT,
        "LAMIA_URL": url,
        "LAMIA_SPOOL": folder / "spool",
    }
    exports = "".join(f"export {name}={shlex.quote(str(v))}\n" for name, v in settings.items())
    hook = folder / "hook"
    hook.write_text(f"#!/bin/sh\n{exports}{sys.executable} -m lamia_gql hook slurm\nexit 0\n")
    hook.chmod(0o755)
    return hook


@contextmanager
def run_slurm(server: Server, *, accounting: bool, end_hook: str) -> Iterator[SlurmCluster]:
    """A cluster whose controller runs the hook at starts, and as ``end_hook`` at ends."""
    missing = missing_programs(accounting=accounting)
    if missing:
        assert "TESTS_COMPLETE" not in os.environ, f"{missing} are missing"
        pytest.skip(f"needs {', '.join(missing)}")
    if os.getuid():
        pytest.skip("only root can run a Slurm of its own")
    with short_folder() as folder:
        hook = write_hook(folder, server.url)
        hooks: dict[str, str] = {"PrologSlurmctld": str(hook), end_hook: str(hook)}
        if end_hook == "JobCompLoc":
            hooks["JobCompType"] = "jobcomp/script"
        with SlurmCluster(folder, hooks, accounting=accounting) as cluster:
            yield cluster


@contextmanager
def follow(cluster: SlurmCluster, server: Server, *arguments: str) -> Iterator[None]:
    """Follow jobs meanwhile; the follower must end cleanly, and complain of nothing."""
    command = [sys.executable, "-m", "lamia_gql", "follow", "slurm", "--interval", "0.5"]
    environ = environment_with({"url": server.url}) | cluster.environment
    environ["XDG_STATE_HOME"] = str(cluster.folder / "places")
    follower = subprocess.Popen(
        [*command, *arguments], env=environ, cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    try:
        yield
    finally:
        follower.send_signal(signal.SIGTERM)
        _out, errors = follower.communicate(timeout=15)
    assert (follower.returncode, errors) == (0, "")


def write_script(cluster: SlurmCluster, name: str, text: str) -> Path:
    """A script to submit."""
    script = cluster.folder / name
    script.write_text(text)
    script.chmod(0o755)
    return script


def read_jobs(server: Server, task: str) -> dict[int, dict[str, Any]]:
    """What the server says of each index."""
    jobs = server.graphql(JOBS, task=task)["process"]["jobs"]["nodes"]
    return {job["index"]: job for job in jobs}

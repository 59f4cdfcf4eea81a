"""What the tests on a real Slurm share: a cluster with hooks, followers, scripts."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.batch.slurm_cluster import SlurmCluster, require_programs, short_folder
from tests.support.harness import Server, environment_with
from tests.support.tools import require

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "slurm.md"
JOBS = """query($task: String!, $name: String!) { process(task: $task, name: $name) {
  ... on JobArray { jobs(first: 100) { nodes {
    index state hostname exitCode signal message batchId starts
    usage { wallSeconds cpus cpuSeconds } } } } } }"""


def recipe(name: str) -> str:
    """A code block of the page on Slurm, by the comment at its top."""
    for block in re.findall(r"^```\w+\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE):
        if f"# {name}\n" in block:
            return str(block)
    raise AssertionError(f"there is no recipe {name}")


def install_recipes(folder: Path, url: str) -> None:
    """Do what an administrator does: install the command, the hook and the task prolog."""
    settings = {"SLURM_CONF": folder / "slurm.conf", "PYTHONPATH": ROOT}
    exports = "".join(f"export {name}={shlex.quote(str(v))}\n" for name, v in settings.items())
    programs = {"lamia-gql": "lamia_gql", "lamia-job": "lamia_gql.client"}
    for name, module in programs.items():
        run = f'exec {shlex.quote(sys.executable)} -m {module} "$@"\n'
        write_script(folder, name, f"#!/bin/sh\n{exports}{run}")
    # The server of the tests asks for no token.
    (folder / "lamia-token").touch()
    places = {
        "http://monitor:8088": url,
        "/etc/slurm": str(folder),
        "/var/spool/lamia": str(folder / "spool"),
        "/opt/lamia/bin": str(folder),
    }
    for name in ("lamia-hook", "task-prolog"):
        text = recipe(name)
        for documented, place in places.items():
            text = text.replace(documented, place)
        write_script(folder, name, text)


@contextmanager
def run_slurm(server: Server, *, accounting: bool, end_hook: str) -> Iterator[SlurmCluster]:
    """A cluster whose controller runs the hook at starts, and as ``end_hook`` at ends."""
    require_programs(accounting=accounting)
    require("root" if os.geteuid() == 0 else None, "root, to run a Slurm of its own")
    with short_folder() as folder:
        install_recipes(folder, server.url)
        hook = str(folder / "lamia-hook")
        hooks = {"PrologSlurmctld": hook, end_hook: hook, "TaskProlog": f"{folder}/task-prolog"}
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
    assert (follower.returncode, errors) == (0, ""), errors


def write_script(folder: Path, name: str, text: str) -> Path:
    """A script that can be run."""
    script = folder / name
    script.write_text(text)
    script.chmod(0o755)
    return script


def read_jobs(server: Server, task: str, process: str = "fill") -> dict[int, dict[str, Any]]:
    """What the server says of each index."""
    found = server.graphql(JOBS, task=task, name=process)["process"]
    return {job["index"]: job for job in found["jobs"]["nodes"]}

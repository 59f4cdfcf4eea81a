"""A workflow of law whose batch system is this machine: each of its Slurm jobs is a process."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import law
from lamia_law import LamiaJobDashboard
from law.contrib.slurm.job import SlurmJobManager
from law.contrib.slurm.workflow import SlurmWorkflow

FOLDER = Path(os.environ["STORY_FOLDER"])
FAILURES = {0: 0, 1: 2, 2: 99, 3: 0}
"""How often each branch fails."""


class ProcessManager(SlurmJobManager):  # type: ignore[misc]  # law has no types
    """Submits jobs by starting them."""

    jobs: dict[int, subprocess.Popen[bytes]] = {}  # noqa: RUF012  (as in law's own managers)

    def submit(self, job_file: str, **_: Any) -> int:
        """Start a job, whose id is that of its process."""
        with open(f"{job_file}.log", "wb") as log:
            command = ["bash", str(job_file)]
            job = subprocess.Popen(
                command, cwd=Path(job_file).parent, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        self.jobs[job.pid] = job
        return job.pid

    def query(self, job_id: Any, **_: Any) -> Any:
        """The status of each job."""
        return {each: self._status(each) for each in job_id}

    def _status(self, job_id: int) -> Any:
        code = self.jobs[job_id].poll()
        if code is None:
            return self.job_status_dict(job_id=job_id, status=self.RUNNING)
        if code == 0:
            return self.job_status_dict(job_id=job_id, status=self.FINISHED, code=0)
        error = "task execution failed"
        return self.job_status_dict(job_id=job_id, status=self.FAILED, code=code, error=error)


class Simulate(law.LocalWorkflow, SlurmWorkflow):  # type: ignore[misc]  # law has no types
    """Four branches, one a job."""

    def create_branch_map(self) -> dict[int, int]:
        """How often each branch fails."""
        return FAILURES

    def output(self) -> Any:
        """What a branch makes."""
        return law.LocalFileTarget(str(FOLDER / f"out_{self.branch}"))

    def run(self) -> None:
        """Fail as often as the branch must."""
        tries = FOLDER / f"tries_{self.branch}"
        with tries.open("a") as file:
            file.write("x")
        if len(tries.read_text()) <= self.branch_data:
            raise RuntimeError("no luck")
        self.output().touch()

    def slurm_job_manager_cls(self) -> type[ProcessManager]:
        """The manager of the jobs."""
        return ProcessManager

    def slurm_use_local_scheduler(self) -> bool:
        """The jobs need no scheduler besides law's own."""
        return True

    def slurm_output_directory(self) -> Any:
        """Where law keeps the state of the jobs."""
        return law.LocalDirectoryTarget(str(FOLDER / "jobs"))

    def create_job_dashboard(self) -> LamiaJobDashboard:
        """The jobs are the array `Simulate` of the task `night`."""
        return LamiaJobDashboard(self, task="night")

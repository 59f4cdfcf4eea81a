"""Commands that answer like those of Slurm, from what a test says."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from lamia_gql.adapters.slurm import accounting, job_queue

QUEUE = dict.fromkeys(job_queue.FIELDS, "") | {
    "Cluster": "test",
    "ArrayTaskID": "N/A",
    "State": "RUNNING",
    "Reason": "None",
    "RestartCnt": "0",
    "BatchHost": "n/a",
    "SubmitTime": "1000",
    "StartTime": "1010",
    "EndTime": "NONE",
    "exit_code": "0",
    "NumCPUs": "1",
    "tres-alloc": "cpu=1,mem=4000M,node=1,billing=1",
    "Comment": "lamia:night/fill",
    "Name": "fill.sbatch",
}
"""A job that runs, in the fields of ``squeue``."""
ACCOUNT = dict.fromkeys(accounting.FIELDS, "") | {
    "Cluster": "test",
    "State": "COMPLETED",
    "ExitCode": "0:0",
    "NodeList": "node1",
    "Submit": "1000",
    "Start": "1010",
    "End": "1020",
    "AllocCPUS": "2",
    "ReqMem": "4G",
    "Comment": "lamia:night/fill",
}
"""A job that has ended, in the fields of ``sacct``."""
PROGRAM = """\
import json, os, sys
folder = {folder!r}
with open(os.path.join(folder, {name!r} + ".calls"), "a") as calls:
    print(*sys.argv[1:], file=calls)
with open(os.path.join(folder, {name!r} + ".answer")) as answer:
    text, error = json.load(answer)
sys.stdout.write(text)
sys.stderr.write(error)
sys.exit(1 if error else 0)
"""


class SlurmCommands:
    """``squeue`` and ``sacct`` in a folder; at first there are no jobs, and no accounts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("squeue", "sacct"):
            program = PROGRAM.format(folder=str(folder), name=name)
            script = folder / name
            python = shlex.quote(sys.executable)
            (folder / f"{name}.py").write_text(program)
            script.write_text(f'#!/bin/sh\nexec {python} {folder}/{name}.py "$@"\n')
            script.chmod(0o755)
            self.answer(name)
        self.answer("sacct", error="Slurm accounting storage is disabled")

    def answer(self, name: str, text: str = "", *, error: str = "") -> None:
        """Let a command print a text, and fail if there is an error."""
        # At once: somebody may just be asking.
        draft = self._folder / f"{name}.draft"
        draft.write_text(json.dumps([text, error]))
        draft.replace(self._folder / f"{name}.answer")

    def calls(self, name: str) -> list[str]:
        """The arguments of all calls of a command so far."""
        calls = self._folder / f"{name}.calls"
        return calls.read_text().splitlines() if calls.exists() else []

    def queue(self, *jobs: dict[str, str]) -> None:
        """Let ``squeue`` show jobs, by the fields in which they differ from :data:`QUEUE`."""
        rows = ([(QUEUE | job)[field] for field in job_queue.FIELDS] for job in jobs)
        self.answer("squeue", _lines(rows, job_queue.END, ends=True))

    def accounts(self, *jobs: dict[str, str]) -> None:
        """Let ``sacct`` show jobs and steps, by the fields in which they differ."""
        rows = ([(ACCOUNT | job)[field] for field in accounting.FIELDS] for job in jobs)
        self.answer("sacct", _lines(rows, accounting.END, ends=False))


def _lines(rows: Iterable[list[str]], delimiter: str, *, ends: bool) -> str:
    return "".join(delimiter.join(row) + (delimiter if ends else "") + "\n" for row in rows)

"""What batch systems tell their jobs: index, restarts, their own id, the node, and what it has."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping

from lamia_gql.client.class_ad import ClassAd

MAX_INT32 = 2**31 - 1
"""The largest index and the largest attempt that the server accepts."""
INDEX_VARIABLES = (
    ("SLURM_ARRAY_TASK_ID", 0),
    ("LSB_JOBINDEX", 1),  # 0 outside of an array
    ("PBS_ARRAY_INDEX", 0),
    ("PBS_ARRAYID", 0),
    ("SGE_TASK_ID", 1),  # "undefined" outside of an array
)
"""The variables that hold an index, each with the smallest valid value; the first one counts."""
RANK_VARIABLES = ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID")
"""The variables that hold the rank in a parallel job; the first one counts.

MPI's go first: an ``mpirun`` in a Slurm job passes on the ``SLURM_PROCID`` of its own process.
"""
CPU_VARIABLES = ("LSB_DJOB_NUMPROC", "NCPUS", "PBS_NP", "NSLOTS")
"""The variables of LSF, PBS Pro, Torque and Grid Engine that hold the number of CPUs."""
MIB = 1024 * 1024


class BatchJob:
    """What the batch system tells about this job, and None where it tells nothing.

    Args:
        environ: The environment of the job.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._ad = ClassAd(environ.get("_CONDOR_JOB_AD"))
        self._machine = ClassAd(environ.get("_CONDOR_MACHINE_AD"))

    @property
    def index(self) -> int | None:
        """The index in the array; None outside of one.

        In an HTCondor job it is the number in the cluster (``ProcId``), which is 0 where the
        cluster consists of a single job.
        """
        # HTCondor first: its pilots run in jobs of other systems and may pass on their variables.
        number = _parse_number(self._ad.find("ProcId"))
        if number is not None:
            return number
        for name, smallest in INDEX_VARIABLES:
            number = self._number(name)
            if number is not None and number >= smallest:
                return number
        return None

    @property
    def attempt(self) -> int:
        """How often the batch system has restarted this job; 0 if it does not tell.

        Grid Engine and LSF tell only whether they have: then it is 1.
        """
        number = _parse_number(self._ad.find("NumJobStarts"))
        if number is None:
            number = self._number("SLURM_RESTART_COUNT")
        if number is not None:
            return number
        if self._is_of_grid_engine:
            return int(self._number("RESTARTED") == 1)
        return int(bool(self._text("LSB_JOBID")) and self._text("LSB_RESTART") == "Y")

    @property
    def batch_id(self) -> str | None:
        """The batch system's own id of this job, as its commands take it.

        ``57.3`` in HTCondor, ``1234_7`` or ``1234`` in Slurm, ``1234[7]`` or ``1234`` in LSF,
        what PBS tells, and ``1234.7`` or ``1234`` in Grid Engine.
        """
        cluster, proc = self._ad.find("ClusterId"), self._ad.find("ProcId")
        if cluster is not None and proc is not None:
            return f"{cluster}.{proc}"
        array, task = self._text("SLURM_ARRAY_JOB_ID"), self._number("SLURM_ARRAY_TASK_ID")
        if array and task is not None:
            return f"{array}_{task}"
        if self._text("SLURM_JOB_ID"):
            return self._text("SLURM_JOB_ID")
        if self._text("LSB_JOBID"):
            index = self._number("LSB_JOBINDEX")
            return f"{self._text('LSB_JOBID')}[{index}]" if index else self._text("LSB_JOBID")
        if self._text("PBS_JOBID"):
            return self._text("PBS_JOBID")
        if self._is_of_grid_engine:
            index = self._number("SGE_TASK_ID")
            return f"{self._text('JOB_ID')}.{index}" if index else self._text("JOB_ID")
        return None

    @property
    def hostname(self) -> str | None:
        """The batch system's name of the node, which may differ from the host's own name."""
        found = self._machine.find("Machine") or self._text("SLURMD_NODENAME")
        if found is None and self._is_of_grid_engine:
            found = self._text("HOSTNAME")
        return found

    @property
    def cpus(self) -> int | None:
        """How many CPUs the job has got; in a step of several Slurm tasks, one task."""
        given = _parse_number(self._ad.find("RequestCpus", "CpusProvisioned"))
        if given is None and (self._number("SLURM_STEP_NUM_TASKS") or 1) > 1:
            given = self._number("SLURM_CPUS_PER_TASK") or 1
        names = ("SLURM_CPUS_ON_NODE", "SLURM_CPUS_PER_TASK", *CPU_VARIABLES)
        return given or next((n for n in map(self._number, names) if n), None)

    @property
    def requested_memory_bytes(self) -> int | None:
        """How much memory the job has asked for, on one node."""
        mebibytes = _parse_number(self._ad.find("RequestMemory", "MemoryProvisioned"))
        if mebibytes is None:
            mebibytes = self._number("SLURM_MEM_PER_NODE")
        if mebibytes is None:
            mebibytes = (self._number("SLURM_MEM_PER_CPU") or 0) * (self.cpus or 0)
        return mebibytes * MIB or None  # Slurm's 0 is all that the node has

    @property
    def rank(self) -> int:
        """The rank of this process in a parallel job, such as those of MPI; 0 outside of one."""
        if self._ad.find("ClusterId") is not None:
            return 0  # a pilot may be a rank of another job, its jobs are not
        found = (n for n in map(self._number, RANK_VARIABLES) if n is not None)
        return next(found, 0)

    @property
    def stop_signals(self) -> frozenset[signal.Signals]:
        """Signals by which only this batch system asks a job to end.

        Grid Engine announces SIGKILL by SIGUSR2 to jobs that were submitted with ``-notify``.
        """
        return frozenset({signal.SIGUSR2}) if self._is_of_grid_engine else frozenset()

    @property
    def _is_of_grid_engine(self) -> bool:
        # JOB_ID alone may be anything's.
        return bool(self._text("JOB_ID") and self._text("SGE_TASK_ID"))

    def _text(self, name: str) -> str | None:
        return self._environ.get(name, "").strip() or None

    def _number(self, name: str) -> int | None:
        return _parse_number(self._environ.get(name))


def _parse_number(text: str | None) -> int | None:
    if text is None or re.fullmatch(r"\s*[0-9]{1,10}\s*", text) is None:
        return None
    number = int(text)
    return number if number <= MAX_INT32 else None

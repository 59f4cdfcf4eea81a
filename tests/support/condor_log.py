"""Job event logs as HTCondor 23.9 and 25 write them."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

ADDRESS = (
    "<10.0.0.{0}:9618?addrs=10.0.0.{0}-9618&alias=node{0}.example.org&noUDP&sock=startd_1_43af>"
)
SUBMIT_HOST = (
    "<10.0.0.1:9618?addrs=10.0.0.1-9618&alias=submit.example.org&noUDP&sock=schedd_1_43af>"
)
TIMES = """\
\t\tUsr 0 00:01:02, Sys 0 00:00:03  -  Run Remote Usage
\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  Run Local Usage
"""
TOTALS = """\
\t\tUsr 0 00:02:04, Sys 0 00:00:06  -  Total Remote Usage
\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  Total Local Usage
"""
BYTES = """\
\t0  -  Run Bytes Sent By Job
\t0  -  Run Bytes Received By Job
"""
TOTAL_BYTES = """\
\t0  -  Total Bytes Sent By Job
\t0  -  Total Bytes Received By Job
"""
RESOURCES = """\
\tPartitionable Resources :    Usage  Request Allocated 
\t   Cpus                 :     1.62        2         4 
\t   Disk (KB)            :        1        1      2048 
\t   Memory (MB)          :        5       64       128 
\t   TimeExecute (s)      :       40                    
\t   TimeSlotBusy (s)     :       41                    
"""  # noqa: W291  # as HTCondor writes it
GLOBAL = (
    "Global JobLog: ctime=1795825101 id=0.54.1795825101.357064.{0}.1795825101.357279 sequence={0}"
    " size=0 events=0 offset=0 event_off=0 max_rotation=3 creator_name=<>"
)


class CondorLog:
    """Writes a log.

    Args:
        path: the file, which is appended to.
        start: the time of the first record, local to the reader.
        cluster: number of the cluster.
        attributes: which are written behind each record, as by ``job_ad_information_attrs``.
        time_format: how times are written.
    """

    def __init__(
        self,
        path: Path,
        start: datetime,
        cluster: int = 57,
        attributes: dict[str, object] | None = None,
        time_format: str = "%Y-%m-%d %H:%M:%S",
    ) -> None:
        self.path = path
        self.time = start
        self._cluster = cluster
        self._attributes = attributes
        self._format = time_format

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.time += timedelta(seconds=seconds)

    def write(self, number: int, proc: int, first: str, rest: str = "") -> None:
        """Write a record, and the attributes of its job."""
        self._append(number, f"{self._cluster:03}.{proc:03}.000", first, rest)
        if self._attributes is not None:
            found = {"EventTypeNumber": 28, "TriggerEventTypeNumber": number} | self._attributes
            lines = "".join(f"{name} = {value}\n" for name, value in found.items())
            self._append(
                28,
                f"{self._cluster:03}.{proc:03}.000",
                "Job ad information event triggered.",
                lines,
            )

    def header(self, sequence: int) -> None:
        """Write what the event log of an access point begins with."""
        self._append(8, "-01.-01.-01", GLOBAL.format(sequence).ljust(256))

    def submit(self, *procs: int, node: str | None = None) -> None:
        """The jobs are in the queue."""
        for proc in procs:
            rest = f"    DAG Node: {node}\n" if node is not None else ""
            self.write(0, proc, f"Job submitted from host: {SUBMIT_HOST}", rest)

    def execute(self, proc: int, node: int = 7) -> None:
        """The job runs."""
        rest = f"\tSlotName: slot1_1@node{node}.example.org\n\tCpus = 4\n\tMemory = 128\n"
        first = f"Job executing on host: {ADDRESS.format(node)}"
        self.write(1, proc, first, rest)

    def evict(self, proc: int) -> None:
        """The job lost its machine."""
        rest = f"\t(0) CPU times\n{TIMES}{BYTES}{RESOURCES}"
        self.write(4, proc, "Job was evicted.", rest)

    def requeue(self, proc: int, code: int) -> None:
        """The job failed, and is to be tried again."""
        rest = (
            f"\t(0) Job terminated and was requeued\n{TIMES}{BYTES}"
            f"\t(1) Normal termination (return value {code})\n"
            "\tThe job attribute OnExitRemove expression 'ExitCode =?= 0' evaluated to FALSE\n"
        )
        self.write(4, proc, "Job was evicted.", rest)

    def terminate(self, proc: int, code: int = 0, signal: int | None = None) -> None:
        """The job has ended."""
        how = f"\t(1) Normal termination (return value {code})\n"
        if signal is not None:
            how = f"\t(0) Abnormal termination (signal {signal})\n\t(0) No core file\n"
        rest = f"{how}{TIMES}{TOTALS}{BYTES}{TOTAL_BYTES}{RESOURCES}"
        self.write(5, proc, "Job terminated.", rest)

    def grow(self, proc: int, resident_kb: int) -> None:
        """The job needs more memory."""
        rest = f"\t{resident_kb // 1024 + 1}  -  MemoryUsage of job (MB)\n"
        rest += f"\t{resident_kb}  -  ResidentSetSize of job (KB)\n"
        self.write(6, proc, f"Image size of job updated: {resident_kb}", rest)

    def fail_shadow(self, proc: int, message: str) -> None:
        """What watches over the job failed."""
        self.write(7, proc, "Shadow exception!", f"\t{message}\n{BYTES}")

    def abort(self, proc: int, reason: str) -> None:
        """The job was removed."""
        self.write(9, proc, "Job was aborted.", f"\t{reason}\n")

    def suspend(self, proc: int) -> None:
        """The job is stopped for now."""
        rest = "\tNumber of processes actually suspended: 2\n"
        self.write(10, proc, "Job was suspended.", rest)

    def resume(self, proc: int) -> None:
        """The job goes on."""
        self.write(11, proc, "Job was unsuspended.")

    def hold(self, proc: int, reason: str, code: int = 1, subcode: int = 0) -> None:
        """The job is held."""
        self.write(12, proc, "Job was held.", f"\t{reason}\n\tCode {code} Subcode {subcode}\n")

    def release(self, proc: int, reason: str) -> None:
        """The job may run again."""
        self.write(13, proc, "Job was released.", f"\t{reason}\n")

    def disconnect(self, proc: int, reason: str, node: int = 7) -> None:
        """Nothing was heard from the job's machine."""
        name = f"slot1_1@node{node}.example.org"
        rest = f"    {reason}\n    Trying to reconnect to {name} {ADDRESS.format(node)}\n"
        self.write(22, proc, "Job disconnected, attempting to reconnect", rest)

    def reconnect(self, proc: int, node: int = 7) -> None:
        """The machine is there again, and the job runs."""
        address = ADDRESS.format(node)
        rest = f"    startd address: {address}\n    starter address: {address}\n"
        self.write(23, proc, f"Job reconnected to slot1_1@node{node}.example.org", rest)

    def fail_reconnect(self, proc: int, reason: str, node: int = 7) -> None:
        """The machine is gone."""
        name = f"slot1_1@node{node}.example.org"
        rest = f"    {reason}\n    Can not reconnect to {name}, rescheduling job\n"
        self.write(24, proc, "Job reconnection failed", rest)

    def post_script(self, proc: int, node: str, code: int) -> None:
        """The POST script of a DAG's node has ended."""
        rest = f"\t(1) Normal termination (return value {code})\n    DAG Node: {node}\n"
        self.write(16, proc, "POST Script terminated.", rest)

    def _append(self, number: int, job: str, first: str, rest: str = "") -> None:
        text = f"{number:03} ({job}) {self.time.strftime(self._format)} {first}\n{rest}...\n"
        with self.path.open("a") as file:
            file.write(text)
        moment = self.time.timestamp()
        os.utime(self.path, (moment, moment))

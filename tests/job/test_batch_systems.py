"""Array index and attempt are found in the variables of batch systems."""

from __future__ import annotations

import itertools
import signal
from pathlib import Path
from typing import Any

import pytest

from lamia_gql.client.batch_systems import MIB, BatchJob
from lamia_gql.client.configuration import ConfigurationError, find_job, find_server, parse_url
from tests.support.harness import Server
from tests.support.job_side import job_environment, run_lamia_job, spooled_events, stored_events

GRID_ENGINE = {"JOB_ID": "9", "SGE_TASK_ID": "5", "HOSTNAME": "node7", "RESTARTED": "0"}
SLURM = {"SLURM_JOB_ID": "77", "SLURM_ARRAY_JOB_ID": "70", "SLURM_ARRAY_TASK_ID": "5"}
JOB_AD = """\
MyType = "Job"
Cmd = "/bin/run.sh"
Args = "ProcId = 99"
ClusterId = 1234
ProcIdOther = 8
procid = 5
Requirements = (TARGET.Arch == "X86_64") && ProcId > 1
NumJobStarts = 2
RequestCpus = 4
RequestMemory = ifthenelse(MemoryUsage =!= undefined,MemoryUsage,1)
MemoryProvisioned = 2048
Iwd = "/home/someone"
"""
FOUND: list[tuple[str, dict[str, str], int | None]] = [
    ("nothing", {}, None),
    ("Slurm", SLURM, 5),
    ("Slurm, first", SLURM | {"SLURM_ARRAY_TASK_ID": "0"}, 0),
    ("Slurm, no array", {"SLURM_JOB_ID": "77"}, None),
    ("Slurm, no value", {"SLURM_ARRAY_TASK_ID": "4294967294"}, None),
    ("LSF", {"LSB_JOBID": "9", "LSB_JOBINDEX": "5"}, 5),
    ("LSF, no array", {"LSB_JOBID": "9", "LSB_JOBINDEX": "0"}, None),
    ("PBS Pro", {"PBS_ARRAY_INDEX": "5"}, 5),
    ("PBS Pro, first", {"PBS_ARRAY_INDEX": "0"}, 0),
    ("Torque", {"PBS_ARRAYID": "5"}, 5),
    ("PBS, no array", {"PBS_JOBID": "1.server"}, None),
    ("Grid Engine", {"SGE_TASK_ID": "5"}, 5),
    ("Grid Engine, no array", {"SGE_TASK_ID": "undefined"}, None),
    ("empty", {"SLURM_ARRAY_TASK_ID": "", "LSB_JOBINDEX": " "}, None),
    ("nonsense", {"SLURM_ARRAY_TASK_ID": "-1", "PBS_ARRAYID": "5x"}, None),
]


@pytest.mark.parametrize(("environ", "index"), [f[1:] for f in FOUND], ids=[f[0] for f in FOUND])
def test_index_is_found(environ: dict[str, str], index: int | None) -> None:
    """Each system's variable is read; its value outside of arrays is ignored."""
    assert BatchJob(environ).index == index


def test_htcondor_job_ad(tmp_path: Path) -> None:
    """The job ad is text: attributes in any case, and strings that look like attributes."""
    ad = tmp_path / "job.ad"
    ad.write_bytes(JOB_AD.encode() + b'Owner = "\xff"\n')
    machine = tmp_path / "machine.ad"
    machine.write_text('Name = "slot1@node7.example.org"\nMachine = "node7.example.org"\n')
    environ = {"_CONDOR_JOB_AD": str(ad), "_CONDOR_MACHINE_AD": str(machine)}
    found = BatchJob(environ)
    assert (found.index, found.attempt, found.batch_id) == (5, 2, "1234.5")
    assert (found.hostname, found.cpus, found.requested_memory_bytes) == (
        "node7.example.org",
        4,
        2048 * MIB,
    )
    # A pilot in a job of another system may pass on that one's variables.
    found = BatchJob(environ | SLURM | {"SLURM_ARRAY_TASK_ID": "7", "SLURM_PROCID": "3"})
    assert (found.index, found.batch_id, found.rank) == (5, "1234.5", 0)
    ad.write_text("MyType = undefined\nProcId = undefined\n")
    found = BatchJob(environ)
    assert (found.index, found.attempt, found.batch_id) == (None, 0, None)
    ad.unlink()
    found = BatchJob(environ)
    assert (found.index, found.attempt, found.batch_id) == (None, 0, None)


def test_attempt() -> None:
    """The attempt is the user's, or Slurm's restart count, or 0."""
    base = {"LAMIA_TASK": "t", "LAMIA_PROCESS": "p"}
    slurm = base | {"SLURM_RESTART_COUNT": "3"}
    assert find_job(base).attempt == 0
    assert find_job(slurm).attempt == 3
    assert find_job(slurm | {"LAMIA_ATTEMPT": "5"}).attempt == 5
    assert find_job(slurm | {"LAMIA_ATTEMPT": "5"}, attempt=0).attempt == 0
    for bad in ("-1", "x", "99999999999"):
        with pytest.raises(ConfigurationError, match="LAMIA_ATTEMPT is not a number from 0"):
            find_job(base | {"LAMIA_ATTEMPT": bad})


@pytest.mark.parametrize(
    ("environ", "attempt"),
    [
        (GRID_ENGINE, 0),
        (GRID_ENGINE | {"RESTARTED": "1"}, 1),
        ({"RESTARTED": "1"}, 0),
        ({"LSB_JOBID": "9", "LSB_RESTART": "Y"}, 1),
        ({"LSB_JOBID": "9"}, 0),
        ({"LSB_RESTART": "Y"}, 0),
        # A job of Slurm that was submitted in a job of another system.
        (SLURM | GRID_ENGINE | {"SLURM_RESTART_COUNT": "0", "RESTARTED": "1"}, 0),
    ],
)
def test_whether_a_job_was_restarted(environ: dict[str, str], attempt: int) -> None:
    """Grid Engine and LSF tell that they have restarted a job, but not how often."""
    assert BatchJob(environ).attempt == attempt


def test_grid_engine() -> None:
    """It has its own names of hosts, and announces SIGKILL by another signal."""
    found = BatchJob(GRID_ENGINE | {"SGE_TASK_ID": "undefined"})
    assert (found.hostname, found.stop_signals) == ("node7", frozenset({signal.SIGUSR2}))
    # Shells set HOSTNAME everywhere.
    found = BatchJob({"HOSTNAME": "node7", "JOB_ID": "9"})
    assert (found.hostname, found.stop_signals) == (None, frozenset())


@pytest.mark.parametrize(
    ("environ", "batch_id"),
    [
        ({}, None),
        (SLURM, "70_5"),
        ({"SLURM_JOB_ID": "77"}, "77"),
        ({"LSB_JOBID": "9", "LSB_JOBINDEX": "5"}, "9[5]"),
        ({"LSB_JOBID": "9", "LSB_JOBINDEX": "0"}, "9"),
        ({"PBS_JOBID": "1[5].server", "PBS_ARRAY_INDEX": "5"}, "1[5].server"),
        ({"JOB_ID": "9", "SGE_TASK_ID": "5"}, "9.5"),
        ({"JOB_ID": "9", "SGE_TASK_ID": "undefined"}, "9"),
        ({"JOB_ID": "of something else"}, None),
    ],
)
def test_batch_id(environ: dict[str, str], batch_id: str | None) -> None:
    """The id is as the batch system's own commands take it."""
    assert BatchJob(environ).batch_id == batch_id


@pytest.mark.parametrize(
    ("environ", "cpus", "mebibytes"),
    [
        ({}, None, None),
        ({"SLURM_CPUS_ON_NODE": "8", "SLURM_MEM_PER_NODE": "4000"}, 8, 4000),
        ({"SLURM_CPUS_ON_NODE": "8", "SLURM_MEM_PER_CPU": "100"}, 8, 800),
        ({"SLURM_CPUS_ON_NODE": "8", "SLURM_MEM_PER_NODE": "0"}, 8, None),
        ({"SLURM_CPUS_PER_TASK": "2"}, 2, None),
        (
            {"SLURM_STEP_NUM_TASKS": "4", "SLURM_CPUS_PER_TASK": "2", "SLURM_CPUS_ON_NODE": "8"},
            2,
            None,
        ),
        ({"SLURM_STEP_NUM_TASKS": "4", "SLURM_CPUS_ON_NODE": "8"}, 1, None),
        ({"LSB_DJOB_NUMPROC": "3"}, 3, None),
        ({"NCPUS": "3"}, 3, None),
        ({"PBS_NP": "3"}, 3, None),
        ({"NSLOTS": "3"}, 3, None),
        ({"NSLOTS": "many"}, None, None),
    ],
)
def test_resources(environ: dict[str, str], cpus: int | None, mebibytes: int | None) -> None:
    """CPUs and memory are those of this job on this node, as far as they are told."""
    found = BatchJob(environ)
    assert found.cpus == cpus
    assert found.requested_memory_bytes == (mebibytes and mebibytes * MIB)


@pytest.mark.parametrize(
    ("environ", "reports"),
    [
        ({}, True),
        ({"SLURM_PROCID": "0"}, True),
        ({"SLURM_PROCID": "1"}, False),
        ({"OMPI_COMM_WORLD_RANK": "1"}, False),
        ({"PMI_RANK": "1"}, False),
        ({"PMIX_RANK": "1"}, False),
        # mpirun in a Slurm job passes on the variables of its own process.
        ({"SLURM_PROCID": "0", "OMPI_COMM_WORLD_RANK": "1"}, False),
        ({"SLURM_PROCID": "1", "OMPI_COMM_WORLD_RANK": "0"}, True),
        # Ranks that are jobs of their own.
        ({"SLURM_PROCID": "1", "LAMIA_INDEX": "1"}, True),
        ({"SLURM_PROCID": "1", "LAMIA_INDEX": "none"}, False),
        ({"SLURM_PROCID": "1", "LAMIA_RANK": "0"}, True),
        ({"LAMIA_RANK": "1"}, False),
    ],
)
def test_only_the_first_rank_reports(environ: dict[str, str], reports: bool) -> None:
    """Of a parallel job, one process reports, unless each has an index of its own."""
    base = SLURM | {"LAMIA_TASK": "t", "LAMIA_PROCESS": "p"}
    assert find_job(base | environ).reports is reports


def test_given_goes_before_found() -> None:
    """Precedence: argument, LAMIA_INDEX, batch system; 'none' means no index."""
    base = SLURM | {"LAMIA_TASK": "t", "LAMIA_PROCESS": "p"}
    assert find_job(base)[2:4] == (5, True)
    assert find_job(base | {"LAMIA_INDEX": "8"})[2:4] == (8, False)
    assert find_job(base | {"LAMIA_INDEX": "8"}, index=9)[2:4] == (9, False)
    assert find_job(base | {"LAMIA_INDEX": "none"})[2:4] == (None, False)
    assert find_job(base, index="none")[2:4] == (None, False)
    assert find_job(base | {"LAMIA_INDEX": ""})[2:4] == (5, True)
    for bad in ("-1", "x", "1.5", "99999999999"):
        with pytest.raises(ConfigurationError):
            find_job(base | {"LAMIA_INDEX": bad})
    with pytest.raises(ConfigurationError, match="LAMIA_TASK and LAMIA_PROCESS not set"):
        find_job({})


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://host:8088", "http://host:8088/graphql"),
        ("http://host:8088/", "http://host:8088/graphql"),
        ("https://host/lamia/", "https://host/lamia/graphql"),
        ("http://host/graphql", "http://host/graphql"),
        (" http://host/lamia/graphql/ ", "http://host/lamia/graphql"),
        ("http://graphql", "http://graphql/graphql"),
        ("http://host:8088/api/v0/", "http://host:8088/graphql"),
        ("https://host/lamia/api/v0", "https://host/lamia/graphql"),
        ("http://[::1]:80", "http://[::1]:80/graphql"),
    ],
)
def test_address_may_be_the_root(given: str, url: str) -> None:
    """LAMIA_URL may be the server's root, or an interface of it; the path is added."""
    assert find_server({"LAMIA_URL": given}).url == url
    assert find_server({"LAMIA_URL": given}).url == f"{parse_url(given)}/graphql"
    for bad in (
        "",
        "host:8088",
        "ftp://host",
        "http://",
        "http://ho st",
        "http://host:99999",
        "http://host:port",
        "http://::1/",
        "http://user:word@host",
    ):
        with pytest.raises(ConfigurationError) as caught:
            find_server({"LAMIA_URL": bad})
        assert "user:word" not in str(caught.value)


def test_jobs_of_five_systems_find_themselves(sqlite_server: Server, tmp_path: Path) -> None:
    """Wrapped in each system's environment, the events are of the right job and attempt."""
    sqlite_server.create("t", {"name": "p", "jobCount": 10})
    ad = tmp_path / "job.ad"
    ad.write_text(JOB_AD.replace("procid = 5", "ProcId = 4"))
    environs: list[dict[str, Any]] = [
        SLURM | {"SLURM_ARRAY_TASK_ID": "0", "SLURM_RESTART_COUNT": "1"},
        {"LSB_JOBINDEX": "1"},
        {"PBS_ARRAY_INDEX": "2"},
        {"SGE_TASK_ID": "3"},
        {"_CONDOR_JOB_AD": ad},
    ]
    for environ in environs:
        run_lamia_job(job_environment(sqlite_server.url, tmp_path, **environ), "run", "--", "true")
    found = [
        (e["job"]["index"], e["attempt"], e["eventClass"]) for e in stored_events(sqlite_server)
    ]
    attempts = [1, 0, 0, 0, 2]
    assert sorted(found) == sorted(
        (index, attempt, name)
        for (index, attempt), name in itertools.product(enumerate(attempts), ["STARTED", "DONE"])
    )


def test_solitary_job_in_a_cluster_of_one(sqlite_server: Server, tmp_path: Path) -> None:
    """HTCondor always gives a number; for a solitary process it is left out."""
    sqlite_server.create("t", {"name": "p"})
    ad = tmp_path / "job.ad"
    ad.write_text("ClusterId = 5\nProcId = 0\n")
    environ = job_environment(sqlite_server.url, tmp_path, _CONDOR_JOB_AD=ad)
    done = run_lamia_job(environ, "run", "--", "true")
    assert (done.returncode, done.stderr) == (0, b"")
    assert sqlite_server.process("t", "p")["state"] == "SUCCEEDED"

    # The same from the spool, and from another process.
    away = job_environment("http://127.0.0.1:1", tmp_path, _CONDOR_JOB_AD=ad)
    run_lamia_job(away, "emit", "BEAT")
    assert [event["index"] for event in spooled_events(tmp_path)] == [0]

    # An index that was given is the user's word, and stays.
    given = job_environment(sqlite_server.url, tmp_path, LAMIA_INDEX=0)
    done = run_lamia_job(given, "emit", "BEAT")
    assert b"INDEX_FORBIDDEN" in done.stderr
    assert len(stored_events(sqlite_server)) == 2

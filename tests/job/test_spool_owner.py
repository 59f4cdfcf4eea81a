"""A spool is for its owner: nobody else reads it, or takes it for an empty one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.job_side import LAMIA_JOB, ROOT, job_environment, run_lamia_job


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    """Whatever the umask is, and to whomever the folder above it is open."""
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    tmp_path.joinpath("spool").mkdir(mode=0o755)
    run_lamia_job(environ, "emit", "BEAT", umask=0)
    made = [*tmp_path.glob("spool/**/*")]
    assert len(made) == 4
    assert all(path.stat().st_mode & 0o077 == 0 for path in made)


def test_flush_of_a_spool_that_can_not_be_read(tmp_path: Path) -> None:
    """That of another user, or a file: it is not taken for an empty one."""
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    run_lamia_job(environ, "emit", "BEAT")
    (tmp_path / "spool" / "file").touch()
    source = (
        "import os; os.getuid = lambda: 12345; from lamia_gql.client.__main__ import main; main()"
    )
    for command, spool, reason in (
        ([sys.executable, "-c", source], tmp_path / "spool", "The directory belongs to another"),
        (LAMIA_JOB, tmp_path / "spool" / "file", "Not a directory"),
    ):
        done = subprocess.run(
            [*command, "flush", "--spool", str(spool)],
            env=environ,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("lamia-job: The spool can't be read: ")
        assert reason in done.stderr

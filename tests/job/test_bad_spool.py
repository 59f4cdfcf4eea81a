"""A spool on a file system that is full of files, slow, not there, or hangs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lamia_gql.client.configuration import find_server
from lamia_gql.client.spool import Spool
from tests.support.job_side import (
    ROOT,
    FaultyServer,
    job_environment,
    make_event,
    run_lamia_job,
)
from tests.support.waiting import until


def test_unwritable_spool_and_no_server(tmp_path: Path) -> None:
    """Without spool and server the job runs on, and the loss is reported once."""
    (tmp_path / "spool").write_text("a file where the folder should be")
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    done = run_lamia_job(environ, "run", "--", "sh", "-c", "echo out; exit 3")
    assert (done.returncode, done.stdout) == (3, b"out\n")
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert b"spool" in lines[0]
    assert b"lost" in lines[1]


def test_unwritable_spool_and_a_server_that_comes_back(tmp_path: Path) -> None:
    """Without a spool events wait in memory for as long as the job lasts."""
    (tmp_path / "spool").write_text("a file where the folder should be")
    with FaultyServer("503") as bad:
        environ = job_environment(bad.url, tmp_path)
        process = subprocess.Popen(
            [sys.executable, "-m", "lamia_gql.client", "run", "--", "sleep", "2"],
            env=environ,
            cwd=ROOT,
            stderr=subprocess.PIPE,
        )
        until(lambda: bad.requests, "STARTED")
        bad.mode = "good"
        process.communicate()
        sent = {e["eventClass"] for _headers, batch in bad.requests[1:] for e in batch}
    assert sent == {"STARTED", "DONE"}


def test_default_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The home, or else the first directory for temporary files that can be written."""
    own = f"lamia-spool-{os.getuid()}"
    nowhere = str(tmp_path / "nowhere")
    for home, temporary, expected in (
        (str(tmp_path), nowhere, str(tmp_path / ".lamia-spool")),
        (nowhere, str(tmp_path), str(tmp_path / own)),
        (nowhere, nowhere, f"/tmp/{own}"),
    ):
        monkeypatch.setenv("HOME", home)
        monkeypatch.setenv("TMPDIR", temporary)
        assert find_server({"LAMIA_URL": "http://host"}).spool == expected


def test_folder_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many files are written at once: listing many thousands takes a server long."""
    spool = Spool(str(tmp_path), "http://host/graphql")
    classes = ("STARTED", "BEAT", "DONE")
    spool.add([make_event(eventClass=name) for name in classes])
    listed: list[str] = []
    real = os.listdir

    def listdir(folder: str) -> list[str]:
        listed.append(folder)
        return real(folder)

    monkeypatch.setattr(os, "listdir", listdir)
    spool.add([make_event(eventClass=name) for name in classes])
    assert listed == [spool.folder]
    assert len(spool.file_names()) == 6


HANGING = """
import os, time
os.fsync = lambda descriptor: time.sleep(600)
from lamia_gql.client.__main__ import main
main()
"""
"""A lamia-job whose spool is on a file system that does not answer."""


@pytest.mark.parametrize("mode", ["down", "hang"])
def test_spool_that_hangs(tmp_path: Path, mode: str) -> None:
    """The job ends with its program, and says what is lost."""
    with FaultyServer("hang") as server:
        url = server.url if mode == "hang" else "http://127.0.0.1:1"
        done = subprocess.run(
            [sys.executable, "-c", HANGING, "run", "--", "sh", "-c", "exit 3"],
            env=job_environment(url, tmp_path),
            cwd=ROOT,
            capture_output=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 3
    assert done.stderr == (
        b"lamia-job: 2 events are lost: neither the server nor the spool takes them.\n"
    )

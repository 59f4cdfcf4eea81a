"""Whatever happens to a follower, its log or its server: every event is stored once."""

from __future__ import annotations

import random
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from lamia_gql.domain.access import Role
from tests.support.condor_log import CondorLog
from tests.support.credentials import SECRET, Credentials
from tests.support.follower import FollowerProcess, follower
from tests.support.harness import Server, StartServer
from tests.support.job_side import ROOT, FaultyServer, stored_events
from tests.support.waiting import until

CONDOR = ("--task", "night", "--process", "fill")
JOBS = 60


def start_time() -> datetime:
    """An hour ago, in local time."""
    return datetime.now().replace(microsecond=0) - timedelta(hours=1)


def write_lives(log: CondorLog, procs: range) -> int:
    """Write the lives of jobs that start twice; returns the number of their events."""
    log.submit(*procs)
    for proc in procs:
        log.execute(proc)
        log.wait(0.2)
        log.evict(proc)
        log.execute(proc, node=8)
        log.wait(0.2)
        log.terminate(proc, code=proc % 3)
    return 5 * len(procs)


def wait_for_events(server: Server, number: int) -> None:
    """Wait until the server has as many events as that."""
    until(lambda: len(stored_events(server, "night")) >= number, f"{number} events are stored")


def rotate(path: Path) -> None:
    """Rotate a log as HTCondor does."""
    for number in (2, 1):
        old = Path(f"{path}.{number}")
        if old.exists():
            old.rename(f"{path}.{number + 1}")
    path.rename(f"{path}.1")
    path.touch()


@pytest.mark.slow
def test_every_event_once(server: Server, tmp_path: Path) -> None:
    """Two machines follow a log that is rotated; both are killed again and again."""
    server.create("night", {"name": "fill", "jobCount": JOBS})
    path = tmp_path / "EventLog"
    log = CondorLog(path, start_time())
    log.header(1)
    chance = random.Random(7)
    expected = 0
    homes = [tmp_path / name for name in ("one", "two")]
    for batch in range(6):
        running = [FollowerProcess(home, server.url, "condor", path, *CONDOR) for home in homes]
        expected += write_lives(log, range(batch * 10, batch * 10 + 10))
        if batch % 2:
            rotate(path)
            log.header(batch)
        wait_for_events(server, expected - chance.randrange(40))
        for process in running:
            process.kill()
    for home in homes:
        assert FollowerProcess(home, server.url, "condor", path, *CONDOR, "--once").wait() == 0
    events = stored_events(server, "night")
    assert len(events) == len({event["uuid"] for event in events}) == expected
    counts = server.process("night", "fill")["counts"]
    assert (counts["done"], counts["failed"], counts["total"]) == (20, 40, JOBS)
    server.check_counters("night")
    # A third machine reads all of it, and adds nothing.
    third = FollowerProcess(tmp_path / "three", server.url, "condor", path, *CONDOR, "--once")
    assert third.wait() == 0
    assert f"{expected} events stored." in third.output()
    assert len(stored_events(server, "night")) == expected


def test_a_log_that_is_cut_or_replaced(sqlite_server: Server, tmp_path: Path) -> None:
    """What logrotate copies and cuts is read to its end, and what is new from its beginning."""
    sqlite_server.create("night", {"name": "fill", "jobCount": JOBS})
    path = tmp_path / "job.log"
    log = CondorLog(path, start_time())
    expected = write_lives(log, range(5))

    def is_read() -> bool:
        return len(stored_events(sqlite_server, "night")) == expected

    with follower(tmp_path / "home", sqlite_server.url, "condor", path, *CONDOR) as process:
        until(is_read, process.output)
        expected += write_lives(log, range(5, 10))
        Path(f"{path}.1").write_bytes(path.read_bytes())
        path.write_bytes(b"")
        expected += write_lives(log, range(10, 15))
        until(is_read, process.output)
        path.unlink()
        expected += write_lives(log, range(15, 20))
        until(is_read, process.output)
        assert process.stop() == 0


def test_waits_for_log_server_and_task(sqlite_server: Server, tmp_path: Path) -> None:
    """Each may come late. The place is remembered when the server has everything."""
    path, home = tmp_path / "job.log", tmp_path / "home"
    with follower(home, sqlite_server.url, "condor", path, *CONDOR) as process:
        until(lambda: "can't be read: No such file" in process.output(), process.output)
        log = CondorLog(path, start_time())
        expected = write_lives(log, range(3))
        until(lambda: "There is no task “night”" in process.output(), process.output)
        sqlite_server.kill()
        log.submit(3)
        until(lambda: "can't be reached" in process.output(), process.output)
        assert not list(home.glob("lamia-gql/*"))
        sqlite_server.start()
        sqlite_server.create("night", {"name": "fill", "jobCount": JOBS})
        until(lambda: list(home.glob("lamia-gql/follow-condor-*.json")), process.output, 30)
        assert len(stored_events(sqlite_server, "night")) == expected + 1
        assert process.stop() == 0
    assert "takes events again" in process.output()


def test_refused_events_stop_nothing(sqlite_server: Server, tmp_path: Path) -> None:
    """They are reported one by one, at most ten; the exit code tells; they are not sent again."""
    sqlite_server.create("night", {"name": "fill", "jobCount": 10})
    path, home = tmp_path / "job.log", tmp_path / "home"
    log = CondorLog(path, start_time())
    log.submit(*range(25))
    arguments = ("condor", path, *CONDOR, "--once")
    process = FollowerProcess(home, sqlite_server.url, *arguments)
    assert process.wait() == 1
    assert "10 events stored." in process.output()
    refused = [line for line in process.output().splitlines() if line.startswith("Not stored:")]
    assert len(refused) == 10
    assert refused[0].startswith("Not stored: night fill 10 SUBMITTED of 20")
    assert "INDEX_OUT_OF_RANGE" in refused[0]
    assert "15 events in all were not stored." in process.output()
    again = FollowerProcess(home, sqlite_server.url, *arguments)
    assert again.wait() == 0
    assert again.output().endswith("0 events stored.\n")


@pytest.mark.parametrize("mode", ["503", "garbage", "cut", "BUSY"])
def test_once_gives_up(tmp_path: Path, mode: str) -> None:
    """A server that does not take events makes ``--once`` fail; the next one begins there."""
    path, home = tmp_path / "job.log", tmp_path / "home"
    write_lives(CondorLog(path, start_time()), range(2))
    arguments = ("condor", path, *CONDOR, "--once")
    with FaultyServer(mode) as server:
        process = FollowerProcess(home, server.url, *arguments)
        assert process.wait() == 1, process.output()
        assert not list(home.glob("lamia-gql/*"))
        server.mode = "good"
        again = FollowerProcess(home, server.url, *arguments)
        assert again.wait() == 0
        assert again.output().endswith("10 events stored.\n")
        server.requests.clear()
        assert FollowerProcess(home, server.url, *arguments).wait() == 0
        assert server.requests == []


def test_solitary_processes(sqlite_server: Server, tmp_path: Path) -> None:
    """Without an index, because only the server knows that they have none."""
    sqlite_server.create("night", {"name": "fill"})
    path = tmp_path / "job.log"
    expected = write_lives(CondorLog(path, start_time()), range(1))
    process = FollowerProcess(
        tmp_path / "home", sqlite_server.url, "condor", path, *CONDOR, "--once"
    )
    assert process.wait() == 0
    assert len(stored_events(sqlite_server, "night")) == expected
    assert sqlite_server.process("night", "fill")["state"] == "SUCCEEDED"


def test_tokens(start_server: StartServer, sqlite_url: str, tmp_path: Path) -> None:
    """A job token is enough, from a file that may change meanwhile; else the user's is taken."""
    credentials = Credentials(sqlite_url)
    own = credentials.token("anna", Role.REPORT)
    server = start_server(sqlite_url, secret_keys=SECRET)
    token = credentials.job_token(credentials.add_task("night"))
    home, path, file = tmp_path / "home", tmp_path / "job.log", tmp_path / "token"
    CondorLog(path, start_time()).submit(0)
    file.write_text("lamia_j1.wrong")
    arguments = ("condor", path, "--task", "night", "--process", "p")
    with follower(home, server.url, *arguments, token_file=str(file)) as process:
        until(lambda: "denies access" in process.output(), process.output)
        file.write_text(token)
        until(lambda: list(home.glob("lamia-gql/*.json")), process.output)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / ".lamia-token").write_text(own)
    assert FollowerProcess(tmp_path / "other", server.url, *arguments, "--once").wait() == 0


def test_without_a_home(tmp_path: Path) -> None:
    """A container's user may have none: the place is remembered where one says."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_HOME, "follow", "joblog", "log"],
        env={"LAMIA_TASK": "t", "LAMIA_PROCESS": "p"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (
        2,
        "There is no home directory to remember the place in: name a file by --state.\n",
    )


WITHOUT_HOME = """
import pwd
def find(uid):
    raise KeyError(uid)
pwd.getpwuid = find
from lamia_gql.commands.cli import main
main()
"""
"""A lamia-gql of a user who has no name, nor a home."""

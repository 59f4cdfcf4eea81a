"""A backup that is made while the server serves can be restored, as docs/operation.md says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lamia_gql.storage.database_url import parse_url
from tests.conftest import make_postgres
from tests.support.harness import Server, StartServer, run_cli
from tests.support.replica import TOOLS
from tests.support.waiting import until

TOTAL = '{ process(task: "t", name: "p") { counts { done } events(first: 1) { totalCount } } }'


@contextmanager
def writing(server: Server) -> Iterator[list[int]]:
    """Jobs end, one after the other, until the block does; the list has the number of the last."""
    server.create("t", {"name": "p", "jobCount": 10_000})
    last, stop = [0], threading.Event()

    def write() -> None:
        while not stop.is_set():
            server.submit("t", "p", "DONE", index=last[0])
            last[0] += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield last
    finally:
        stop.set()
        thread.join()


def check_restored(server: Server, acknowledged: int) -> None:
    """Everything is there that was acknowledged before the backup began, and it goes on."""
    process = server.graphql(TOTAL)["process"]
    assert process["counts"]["done"] == process["events"]["totalCount"] >= acknowledged
    server.check_counters()
    server.submit("t", "p", "DONE", index=9_999)


def test_sqlite(start_server: StartServer, sqlite_url: str, tmp_path: Path) -> None:
    """The copy is of one moment, for its owner only, and takes the place of the database."""
    server = start_server(sqlite_url)
    copy = tmp_path / "copy.sqlite"
    with writing(server) as last:
        until(lambda: last[0] > 20, "nothing was written")
        acknowledged = last[0]
        done = run_cli("backup", str(copy), database_url=sqlite_url)
        assert (done.returncode, done.stderr) == (0, "")
        at_the_end = last[0]
    assert re.fullmatch(rf"Copied [\d,]+ bytes to {copy}\.\n", done.stdout)
    assert copy.stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob("*.part"))
    server.stop()
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    for file in path, Path(f"{path}-wal"), Path(f"{path}-shm"):
        file.unlink(missing_ok=True)
    copy.rename(path)
    server.start()
    check_restored(server, acknowledged)
    assert at_the_end > acknowledged


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("lamia.sqlite", 2, "There is a file {folder}/lamia.sqlite already.\n"),
        ("none/copy", 2, "The file {folder}/none/copy.part can't be made: No such file or direct"),
    ],
)
def test_refusals(sqlite_url: str, tmp_path: Path, name: str, code: int, words: str) -> None:
    """Nothing is overwritten, and nothing is left behind."""
    before = sorted(tmp_path.iterdir())
    done = run_cli("backup", str(tmp_path / name), database_url=sqlite_url)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(words.format(folder=tmp_path))
    assert sorted(tmp_path.iterdir()) == before


def test_damage_is_noticed(sqlite_url: str, tmp_path: Path) -> None:
    """A copy of a damaged database would be found out when it is needed."""
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    content = bytearray(path.read_bytes())
    content[4096 * 5 : 4096 * 6] = os.urandom(4096)
    path.write_bytes(content)
    done = run_cli("backup", str(tmp_path / "copy"), database_url=sqlite_url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("The database is damaged: ")
    assert not list(tmp_path.glob("copy*"))


def run_tool(command: str) -> None:
    """Run one of PostgreSQL's programs, by a command line as it is printed."""
    name, *arguments = shlex.split(command)
    done = subprocess.run(
        [TOOLS / name, *arguments], check=False, timeout=60, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_postgresql(
    start_server: StartServer, postgres: Path, postgres_url: str, tmp_path: Path
) -> None:
    """The command that is printed makes a backup, and pg_restore brings it back."""
    server = start_server(postgres_url)
    copy = tmp_path / "copy"
    with writing(server) as last:
        until(lambda: last[0] > 20, "nothing was written")
        acknowledged = last[0]
        done = run_cli("backup", str(copy), database_url=postgres_url)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("PostgreSQL has its own tool")
        [command] = re.findall(r"pg_dump .+$", done.stderr, re.MULTILINE)
        run_tool(command)
    server.stop()
    with contextmanager(make_postgres)(postgres, "ENCODING 'UTF8' TEMPLATE template0") as url:
        run_tool(f"pg_restore --no-owner --exit-on-error --dbname={shlex.quote(url)} {copy}")
        restored = start_server(url)
        check_restored(restored, acknowledged)
        restored.stop()


def test_no_password_is_printed() -> None:
    """The address without its password: that is a matter of ~/.pgpass."""
    address = "postgresql://ada:s3cret@db.example.org/lamia"
    done = run_cli("backup", "copy", database_url=address)
    assert "'postgresql://ada@db.example.org/lamia'" in done.stderr
    assert "s3cret" not in done.stderr
    assert parse_url(address).password == "s3cret"
